/* pass: answers a request by one call, streamed both ways.
 *
 * Path, query and header fields cross as they came, but for what the file says of them. Knows
 * nothing of what is inside the bodies.
 */
#include "pass.h"
#include "error_body.h"
#include "failure.h"
#include "field_change.h"
#include "forward.h"
#include "query.h"
#include "upstream_key.h"

/* Who takes nothing of a reply for so long reads slowly. */
#define CLIENT_PATIENCE_MS 1000

/* What the call's functions need. */
struct passage {
    struct reply *reply;
    const struct route *route;
    struct reference_values values;
};

/* Bodies may take as long as they like while they move: the deadline is for what is before them. */
static void forget_deadline(struct call *call)
{
    call->deadline_us = 0;
}

static ssize_t read_body(struct call *call, void *bytes, size_t size)
{
    struct passage *passage = call->context;
    return request_read(passage->values.request, bytes, size);
}

/* A body that is there takes none of its time: whoever waited for a place with it has only what is
 * left. One that must be waited for, or is long enough to be streamed, may move on and on. */
static int body_fd(struct call *call)
{
    const struct request *request = ((struct passage *)call->context)->values.request;
    int fd = request_body_fd(request);
    if (fd >= 0 || request->body_length >= REQUEST_STREAMED_MIN)
        forget_deadline(call);
    return fd;
}

static bool start_reply(struct call *call)
{
    struct passage *passage = call->context;
    forget_deadline(call);
    forward_reply(call, passage->reply, FORWARD_LENGTH | (passage->route->cors ? 0 : FORWARD_CORS));
    field_change_reply(passage->reply, &passage->route->fields, &passage->values);
    return reply_start(passage->reply, call->status);
}

/* A client that is slow to take the reply must not use up the service's places: those are for calls
 * that the service works on. */
static bool write_body(struct call *call, const char *bytes, size_t len)
{
    struct reply *reply = ((struct passage *)call->context)->reply;
    if (!reply_is_ready(reply, CLIENT_PATIENCE_MS))
        caller_yield_place(call);
    return reply_write(reply, bytes, len);
}

/* The next piece may be long in coming. */
static void send_on(struct call *call)
{
    reply_flush(((struct passage *)call->context)->reply);
}

/* These methods have a body even when it is empty: Content-Length: 0 is sent (RFC 9110 8.6). */
static bool has_body(const struct request *request)
{
    return request->body_length > 0 || strcmp(request->method, "POST") == 0 ||
           strcmp(request->method, "PUT") == 0 || strcmp(request->method, "PATCH") == 0;
}

static int finish(struct reply *reply, const struct call *call, const struct route *route)
{
    if (call->outcome == CALL_OK)
        return call->status;
    struct error_values error = failure_of(call, &route->errors);
    if (!reply->is_started) {
        failure_retry_after(reply, call);
        return error_reply(reply, &error);
    }
    reply_break(reply);
    return call->status;
}

/* Writes path and query; returns NULL, or the reference whose value is missing. */
static const struct reference *write_target(const struct passage *passage, struct buf *target)
{
    const struct route *route = passage->route;
    const struct reference *missing = NULL;
    if (route->target)
        missing = template_text_write_target(route->target, &passage->values, target);
    else
        buf_str(target, passage->values.request->path);
    query_add(target, &route->request.parameters, &passage->values);
    return missing;
}

int pass_through(struct request *request, struct reply *reply, const struct config *config,
    const struct route *route, const struct route_match *match)
{
    struct passage passage = { reply, route, { .request = request, .match = match } };
    struct buf target;
    buf_init(&target, request->arena);
    const struct reference *missing = write_target(&passage, &target);
    if (missing)
        return reply_error(reply, 400, "Bad request",
            reference_lack(missing, &passage.values, (struct str){ NULL, 0 }));
    int timeout_ms = route->timeout_ms ? route->timeout_ms : route->upstream->timeout_ms;
    struct call call = {
        .upstream = route->upstream,
        .method = request->method,
        .target = buf_as_text(&target),
        .fields = field_change_call(
            forward_request(request, config->name), &route->request.fields, &passage.values),
        .timeout_ms = timeout_ms,
        .deadline_us = request->arrived_us + timeout_ms * 1000LL,
        .request_ms = timeout_ms,
        .arena = request->arena,
        .key = upstream_key(route->upstream, &passage.values),
        .read = has_body(request) ? read_body : NULL,
        .body_length = request->body_length,
        .body_fd = body_fd,
        .head = start_reply,
        .write = write_body,
        .flush = send_on,
        .context = &passage,
    };
    caller_start(request->thread, &call);
    caller_next(request->thread);
    failure_log_call(request, route->upstream->name, &call);
    return finish(reply, &call, route);
}
