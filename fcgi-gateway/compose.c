/* compose: answers a request by the route's calls and one reply from its template.
 *
 * Calls run as parallel as their references allow. The reply is the same whatever order the
 * services answer in: it is written when all have ended, and of several failures the first in the
 * order of the file counts.
 */
#include "compose.h"
#include "failure.h"
#include "forward.h"

struct composition {
    struct request *request;
    const struct config *config;
    const struct route *route;
    struct call *calls;         /* in the order of the route's calls */
    struct call_reply *replies; /* the same */
    struct reference_values values;
    uint32_t started, done, failed, skipped; /* a bit for every call */
};

static uint32_t bit(unsigned call)
{
    return (uint32_t)1 << call;
}

static void fail(
    struct composition *self, unsigned index, enum call_outcome outcome, const char *cause)
{
    self->calls[index].outcome = outcome;
    self->calls[index].cause = cause;
    self->failed |= bit(index);
}

static void start(struct composition *self, unsigned index)
{
    const struct call_plan *plan = &self->route->calls[index];
    struct call *call = &self->calls[index];
    struct buf target;
    buf_init(&target, self->request->arena);
    self->started |= bit(index);
    *call = (struct call){
        .upstream = plan->upstream,
        .method = plan->method,
        .fields = forward_request_id(self->request),
        .timeout_ms = plan->upstream->timeout_ms,
        .arena = self->request->arena,
    };
    if (!template_text_write_target(plan->target, &self->values, &target)) {
        fail(self, index, CALL_BROKEN, "A reply lacks what this call needs");
        return;
    }
    call->target = buf_as_text(&target);
    caller_start(self->request->thread, call);
}

/* Starts every call whose needs are met, and skips those that wait for one that failed. */
static void start_ready(struct composition *self)
{
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < self->route->call_count; i++) {
            uint32_t after = self->route->calls[i].after;
            if ((self->started | self->skipped) & bit(i))
                continue;
            if (after & (self->failed | self->skipped)) {
                self->skipped |= bit(i);
                again = true;
            } else if ((after & self->done) == after) {
                start(self, i);
                again |= (self->failed & bit(i)) != 0;
            }
        }
    }
}

/* A status that says the service is not there for us, told by what stands in front of it. */
static bool says_unavailable(int status)
{
    return status >= 502 && status <= 504;
}

static const char *answered(struct composition *self, int status)
{
    struct buf text;
    buf_init(&text, self->request->arena);
    buf_printf(&text, "Service answered %d", status);
    return buf_as_text(&text);
}

/* A call has ended: is its reply one that can be used? */
static void judge(struct composition *self, unsigned index)
{
    struct call *call = &self->calls[index];
    struct call_reply *reply = &self->replies[index];
    if (call->outcome != CALL_OK)
        self->failed |= bit(index);
    else if (call->status >= 400 && call->status < 500)
        self->failed |= bit(index); /* stays CALL_OK: this reply is for the client */
    else if (says_unavailable(call->status))
        fail(self, index, CALL_UNREACHABLE, answered(self, call->status));
    else if (call->status >= 300)
        fail(self, index, CALL_BROKEN, answered(self, call->status));
    else if (call->body.len == 0 && call->status == 204)
        self->done |= bit(index);
    else if (!json_read(&reply->json, call->body, self->request->arena, NULL))
        fail(self, index, CALL_BROKEN, "The reply is not JSON");
    else {
        reply->is_there = true;
        self->done |= bit(index);
    }
    failure_log_call(self->request, self->route->calls[index].name, call);
}

/* The first call in the order of the file that failed, or -1. */
static int first_failed(const struct composition *self)
{
    return self->failed ? __builtin_ctz(self->failed) : -1;
}

/* Can the failure's reply be told already? Only when no call before it can still fail, and what
 * the failure body shows of other calls is there or will never be. */
static bool is_decided(const struct composition *self)
{
    int first = first_failed(self);
    if (first < 0)
        return false;
    uint32_t needed = bit(first) - 1;
    if (self->calls[first].outcome != CALL_OK)
        needed |= self->route->failure_needs;
    return (needed & (self->done | self->failed | self->skipped)) == needed;
}

static void run_calls(struct composition *self)
{
    struct caller *caller = self->request->thread;
    struct call *ended;
    start_ready(self);
    while (!is_decided(self) && (ended = caller_next(caller))) {
        judge(self, ended - self->calls);
        start_ready(self);
    }
    caller_cancel(caller);
    uint32_t given_up = self->started & ~(self->done | self->failed);
    for (unsigned i = 0; i < self->route->call_count; i++)
        if (given_up & bit(i))
            failure_log_call(self->request, self->route->calls[i].name, &self->calls[i]);
}

/* The reply of a call that answered 4xx is the client's. */
static int pass_on(struct reply *reply, const struct call *call)
{
    forward_reply(call, reply, false);
    reply->body = call->body;
    return call->status;
}

static int reply_failure(struct composition *self, struct reply *reply, const struct call *call)
{
    struct error_values error = failure_of(call, &self->config->errors);
    if (!self->route->failure)
        return failure_reply(reply, &error);
    struct buf body;
    buf_init(&body, self->request->arena);
    self->values.error = &error;
    if (!template_write(self->route->failure, &self->values, &body))
        buf_text(&body, "{}");
    return reply_json(reply, error.status, buf_as_str(&body));
}

static int reply_success(struct composition *self, struct reply *reply)
{
    struct buf body;
    buf_init(&body, self->request->arena);
    if (!template_write(self->route->reply, &self->values, &body))
        buf_text(&body, "{}");
    return reply_json(reply, self->route->status, buf_as_str(&body));
}

int compose(struct request *request, struct reply *reply, const struct config *config,
    const struct route *route, const struct route_match *match)
{
    struct composition self = { .request = request, .config = config, .route = route };
    self.calls = arena_zero(request->arena, route->call_count * sizeof *self.calls);
    self.replies = arena_zero(request->arena, route->call_count * sizeof *self.replies);
    self.values = (struct reference_values){ request, match, self.replies, NULL };
    run_calls(&self);
    int first = first_failed(&self);
    if (first < 0)
        return reply_success(&self, reply);
    const struct call *call = &self.calls[first];
    return call->outcome == CALL_OK ? pass_on(reply, call) : reply_failure(&self, reply, call);
}
