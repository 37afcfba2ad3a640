/* pass: answers a request by one call, streamed both ways.
 *
 * Path and query reach the service as the client sent them. Knows nothing of what is inside the
 * bodies.
 */
#include "pass.h"
#include "error_body.h"
#include "failure.h"
#include "forward.h"

/* What the call's functions need. */
struct passage {
    struct reply *reply;
    const struct route *route;
};

static ssize_t read_body(struct call *call, void *bytes, size_t size)
{
    struct passage *passage = call->context;
    return request_read(passage->reply->request, bytes, size);
}

static int body_fd(struct call *call)
{
    struct passage *passage = call->context;
    return request_body_fd(passage->reply->request);
}

static bool start_reply(struct call *call)
{
    struct passage *passage = call->context;
    forward_reply(call, passage->reply, FORWARD_LENGTH | (passage->route->cors ? 0 : FORWARD_CORS));
    return reply_start(passage->reply, call->status);
}

/* What came is sent on at once: the next piece may be long in coming. */
static bool write_body(struct call *call, const char *bytes, size_t len)
{
    struct reply *reply = ((struct passage *)call->context)->reply;
    return reply_write(reply, bytes, len) && reply_flush(reply);
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
    if (!reply->is_started)
        return error_reply(reply, &error);
    reply_break(reply);
    return call->status;
}

int pass_through(struct request *request, struct reply *reply, const struct config *config,
    const struct route *route)
{
    struct passage passage = { reply, route };
    struct call call = {
        .upstream = route->upstream,
        .method = request->method,
        .target = arena_copy(request->arena, request->target.at, request->target.len),
        .fields = forward_request(request, config->name),
        .timeout_ms = route->timeout_ms ? route->timeout_ms : route->upstream->timeout_ms,
        .arena = request->arena,
        .read = has_body(request) ? read_body : NULL,
        .body_length = request->body_length,
        .body_fd = body_fd,
        .head = start_reply,
        .write = write_body,
        .context = &passage,
    };
    caller_start(request->thread, &call);
    caller_next(request->thread);
    failure_log_call(request, route->upstream->name, &call);
    return finish(reply, &call, route);
}
