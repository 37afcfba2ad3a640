/* compose: answers a request by the route's calls and one reply from its template.
 *
 * Calls run as parallel as their references allow. The reply is the same whatever order the
 * services answer in: it is written when all have ended, and of several failures the first in the
 * order of the file counts.
 */
#include "compose.h"
#include <stdlib.h>
#include "error_body.h"
#include "failure.h"
#include "forward.h"
#include "lib/body.h"
#include "lib/log.h"

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

/* A call lacks a value: whoever should have given it, the client or a service, is to blame. */
static void fail_for_lack(struct composition *self, unsigned index, const struct reference *missing)
{
    struct buf cause;
    buf_init(&cause, self->request->arena);
    buf_str(&cause, missing->text);
    buf_text(&cause, " is missing");
    if (reference_is_clients(missing))
        fail(self, index, CALL_UNMADE, buf_as_text(&cause));
    else
        fail(self, index, CALL_BROKEN, "A reply lacks what this call needs");
    failure_log_call(self->request, self->route->calls[index].name, &self->calls[index]);
}

/* Bytes of a call's body that are still to be sent. */
static ssize_t read_body(struct call *call, void *bytes, size_t size)
{
    struct str *left = call->context;
    size_t len = left->len < size ? left->len : size;
    if (len)
        memcpy(bytes, left->at, len);
    *left = (struct str){ left->at + len, left->len - len };
    return (ssize_t)len;
}

static void set_body(struct composition *self, const struct call_plan *plan, struct call *call)
{
    struct arena *arena = self->request->arena;
    struct str *left = arena_alloc(arena, sizeof *left);
    struct buf body;
    buf_init(&body, arena);
    if (!template_write(plan->body, &self->values, &body))
        buf_text(&body, "{}"); /* as in a reply: nothing of it is there */
    *left = buf_as_str(&body);
    call->read = read_body;
    call->body_length = (int64_t)left->len;
    call->context = left;
}

/* The fields that the file says, in front of those that every call has. */
static void set_fields(struct composition *self, const struct call_plan *plan, struct call *call)
{
    struct arena *arena = self->request->arena;
    struct call_field *first = forward_own(self->request, plan->body != NULL);
    for (unsigned i = plan->fields.count; i-- > 0;) {
        struct call_field *field = arena_alloc(arena, sizeof *field);
        struct str value = field_plan_value(&plan->fields.list[i], &self->values, arena);
        *field = (struct call_field){ plan->fields.list[i].name, value, first };
        if (value.at)
            first = field;
    }
    call->fields = first;
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
        .timeout_ms = plan->upstream->timeout_ms,
        .arena = self->request->arena,
    };
    if (plan->when && !reference_is_true(plan->when, &self->values)) {
        self->done |= bit(index); /* not made: whatever refers to it is missing */
        return;
    }
    const struct reference *missing =
        template_text_write_target(plan->target, &self->values, &target);
    if (missing) {
        fail_for_lack(self, index, missing);
        return;
    }
    if (plan->body)
        set_body(self, plan, call);
    set_fields(self, plan, call);
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
                again |= ((self->failed | self->done) & bit(i)) != 0; /* it ended at once */
            }
        }
    }
}

static const char *answered(struct composition *self, int status)
{
    struct buf text;
    buf_init(&text, self->request->arena);
    buf_printf(&text, "Service answered %d", status);
    return buf_as_text(&text);
}

static bool is_json(struct composition *self, const struct call *call)
{
    struct json json;
    return json_read(&json, call->body, self->request->arena, NULL);
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
    else if (call->status >= 500 && !self->route->failure && is_json(self, call))
        self->failed |= bit(index); /* the same: it knows better than we do what is wrong */
    else if (call->status >= 500)
        fail(self, index, CALL_UNREACHABLE, answered(self, call->status));
    else if (call->status >= 300)
        fail(self, index, CALL_BROKEN, answered(self, call->status));
    else if (call->body.len > 0 && !json_read(&reply->json, call->body, self->request->arena, NULL))
        fail(self, index, CALL_BROKEN, "The reply is not JSON");
    else {
        reply->is_there = call->body.len > 0;
        reply->call = call;
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
    if (self->calls[first].outcome != CALL_OK && self->calls[first].outcome != CALL_UNMADE)
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

/* The reply of a call that answered 4xx (or 5xx, where the file says no failure) is the client's.
 */
static int pass_on(struct reply *reply, const struct call *call, const struct route *route)
{
    forward_reply(call, reply, route->cors ? 0 : FORWARD_CORS);
    reply->body = call->body;
    return call->status;
}

static int tell_failure(
    struct composition *self, struct reply *reply, const struct error_values *error)
{
    if (!self->route->failure)
        return error_reply(reply, error);
    struct buf body;
    buf_init(&body, self->request->arena);
    struct reference_values values = self->values;
    values.error = error;
    if (!template_write(self->route->failure, &values, &body))
        buf_text(&body, "{}");
    return reply_json(reply, error->status, buf_as_str(&body));
}

static int reply_failure(struct composition *self, struct reply *reply, const struct call *call)
{
    struct error_values error = failure_of(call, &self->route->errors);
    struct str retry_after = call_field(call, "Retry-After");
    if (retry_after.at)
        reply_field(reply, "Retry-After", retry_after);
    return tell_failure(self, reply, &error);
}

/* What the file says, or what the call answered that it refers to. */
static int success_status(const struct composition *self)
{
    const struct reference *reference = self->route->status_reference;
    struct str text;
    if (!reference || !reference_text(reference, &self->values, &text) || text.len != 3)
        return self->route->status;
    int status = atoi(arena_copy(self->request->arena, text.at, text.len));
    return status >= 200 && status <= 599 ? status : self->route->status;
}

/* {"name":its reply,...} of all calls that have one: what a jq program gets without a `reply`. */
static void write_replies(const struct composition *self, struct buf *out)
{
    buf_char(out, '{');
    for (unsigned i = 0; i < self->route->call_count; i++) {
        if (!self->replies[i].is_there)
            continue;
        buf_text(out, out->data[out->len - 1] == '{' ? "" : ",");
        buf_json_string(out, self->route->calls[i].name);
        buf_char(out, ':');
        buf_str(out, self->replies[i].json.text);
    }
    buf_char(out, '}');
}

/* False, and logged, where the route's jq program gives nothing that could be sent. */
static bool make_body(struct composition *self, struct str *body)
{
    const struct route *route = self->route;
    struct buf made;
    const char *why;
    buf_init(&made, self->request->arena);
    if (!route->reply)
        write_replies(self, &made);
    else if (!template_write(route->reply, &self->values, &made))
        buf_text(&made, "{}");
    *body = buf_as_str(&made);
    if (!route->jq || jq_program_run(route->jq, *body, self->request->arena, body, &why))
        return true;
    log_problem(self->request, "jq: %s", why);
    return false;
}

static int reply_success(struct composition *self, struct reply *reply)
{
    struct arena *arena = self->request->arena;
    struct str body;
    if (!make_body(self, &body)) {
        struct error_values error = failure_of_jq(&self->route->errors);
        return tell_failure(self, reply, &error);
    }
    for (unsigned i = 0; i < self->route->fields.count; i++) {
        const struct field_plan *plan = &self->route->fields.list[i];
        struct str value = field_plan_value(plan, &self->values, arena);
        if (value.at)
            reply_field(reply, plan->name.at, value);
    }
    return reply_json(reply, success_status(self), body);
}

int compose(struct request *request, struct reply *reply, const struct config *config,
    const struct route *route, const struct route_match *match)
{
    struct composition self = { .request = request, .config = config, .route = route };
    self.calls = arena_zero(request->arena, route->call_count * sizeof *self.calls);
    self.replies = arena_zero(request->arena, route->call_count * sizeof *self.replies);
    struct json body;
    self.values = (struct reference_values){ request, match, NULL, self.replies, NULL };
    if (route->needs_body) {
        int status = body_read_json(request, reply, "application/json", &body);
        if (status)
            return status;
        self.values.body = &body;
    }
    run_calls(&self);
    int first = first_failed(&self);
    if (first < 0)
        return reply_success(&self, reply);
    const struct call *call = &self.calls[first];
    if (call->outcome == CALL_UNMADE)
        return reply_error(reply, 400, "Bad request", call->cause);
    return call->outcome == CALL_OK ? pass_on(reply, call, route)
                                    : reply_failure(&self, reply, call);
}
