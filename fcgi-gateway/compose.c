/* compose: answers a request by the route's calls and one reply from its template.
 *
 * Calls run as parallel as their references allow. The reply is the same whatever order the
 * services answer in: it is written when all have ended, and of several failures the first in the
 * order of the file counts.
 */
#include "compose.h"
#include <stdlib.h>
#include "each.h"
#include "error_body.h"
#include "failure.h"
#include "field_change.h"
#include "forward.h"
#include "lack.h"
#include "lib/body.h"
#include "lib/crew.h"
#include "lib/log.h"

/* One call of the route: a call on the wire, or one for every element of an array. */
struct step {
    struct ask ask;
    struct each *each;         /* NULL: just the one */
    const struct call *failed; /* what is told of it where it failed */
};

struct composition {
    struct request *request;
    const struct config *config;
    const struct route *route;
    struct ask_terms terms;
    long long reading_us;       /* that the request's body took to come */
    struct step *steps;         /* in the order of the route's calls */
    struct call_reply *replies; /* the same */
    struct reference_values values;
    uint32_t started, done, failed, skipped; /* a bit for every call */
};

static uint32_t bit(unsigned call)
{
    return (uint32_t)1 << call;
}

/* The reply that the file has for a call that gave none. Nothing where it needs what is missing. */
static void write_else(struct composition *self, unsigned index)
{
    struct call_reply *reply = &self->replies[index];
    struct buf text;
    buf_init(&text, self->request->arena);
    *reply = (struct call_reply){ .is_there = false };
    if (template_write(self->route->calls[index].otherwise, &self->values, &text))
        reply->is_there = json_read(&reply->json, buf_as_str(&text), self->request->arena, NULL);
}

static void use_else(struct composition *self, unsigned index)
{
    write_else(self, index);
    self->done |= bit(index);
}

/* A client that has gone needs no reply instead. */
static void give_up(struct composition *self, unsigned index, const struct call *failed)
{
    if (self->route->calls[index].otherwise && failed->outcome != CALL_GONE) {
        use_else(self, index);
        return;
    }
    self->steps[index].failed = failed;
    self->failed |= bit(index);
}

/* --- one call, or one for every element --- */

static void settle_ask(struct composition *self, unsigned index)
{
    struct ask *ask = &self->steps[index].ask;
    failure_log_call(self->request, self->route->calls[index].name, &ask->call);
    if (!ask->is_good) {
        give_up(self, index, &ask->call);
        return;
    }
    self->replies[index] = ask->reply;
    self->done |= bit(index);
}

static void start_ask(struct composition *self, unsigned index)
{
    struct ask *ask = &self->steps[index].ask;
    const struct call_plan *plan = &self->route->calls[index];
    const struct reference *missing = ask_prepare(ask, plan, &self->terms, &self->values);
    ask->step = index;
    if (missing)
        ask_lack(ask, plan, &self->terms,
            reference_lack(missing, &self->values, (struct str){ NULL, 0 }),
            reference_is_clients(missing));
    else
        ask_start(ask, &self->terms);
    if (ask->is_ended)
        settle_ask(self, index);
}

static void settle_each(struct composition *self, unsigned index)
{
    struct each *each = self->steps[index].each;
    if ((self->failed | self->done) & bit(index) || each_state(each) == EACH_RUNNING)
        return;
    if (each_state(each) == EACH_DONE && each_reply(each, &self->replies[index]))
        self->done |= bit(index);
    else
        give_up(self, index, each_failed(each));
    each_log(each);
}

/* --- the graph --- */

/* The first call in the order of the file that failed, or -1. */
static int first_failed(const struct composition *self)
{
    return self->failed ? __builtin_ctz(self->failed) : -1;
}

/* Once a call has failed: the calls that can still change the reply. */
static uint32_t needed_for_failure(const struct composition *self)
{
    int first = first_failed(self);
    if (first < 0)
        return 0;
    const struct call *failed = self->steps[first].failed;
    uint32_t needed = bit(first) - 1;
    if (failed->outcome != CALL_OK && failed->outcome != CALL_UNMADE)
        needed |= self->route->failure_needs;
    return needed;
}

/* When a call has failed nothing behind it is changed any more at a service, not even to show what
 * came of it. */
static bool changes_in_vain(const struct composition *self, unsigned index)
{
    int first = first_failed(self);
    return first >= 0 && (int)index > first && strcmp(self->route->calls[index].method, "GET") != 0;
}

/* Will it never be made? What only reads may come to be needed, if an earlier call fails too. */
static bool is_hopeless(const struct composition *self, unsigned index)
{
    return self->route->calls[index].after & (self->failed | self->skipped) ||
           changes_in_vain(self, index);
}

/* The same calls with all that they wait for. Of one that is never made that is what its `else`
 * refers to. */
static uint32_t with_needs(const struct composition *self, uint32_t calls)
{
    const struct call_plan *plans = self->route->calls;
    for (uint32_t before = 0; before != calls;) {
        before = calls;
        for (unsigned i = 0; i < self->route->call_count; i++)
            if (calls & bit(i))
                calls |= is_hopeless(self, i) ? plans[i].otherwise_after : plans[i].after;
    }
    return calls;
}

/* Is there still a reason to make this call? */
static bool may_start(const struct composition *self, unsigned index)
{
    return !self->failed || (with_needs(self, needed_for_failure(self)) & bit(index) &&
                                !changes_in_vain(self, index));
}

/* A call that is never made. Where `failure` shows it, that is its `else`, when all is there that
 * this refers to: false before that. */
static bool skip(struct composition *self, unsigned index)
{
    const struct call_plan *plan = &self->route->calls[index];
    uint32_t settled = self->done | self->failed | self->skipped;
    if (plan->otherwise && with_needs(self, self->route->failure_needs) & bit(index)) {
        if (plan->otherwise_after & ~settled)
            return false;
        write_else(self, index);
    }
    self->skipped |= bit(index);
    return true;
}

/* Is the call not made at all? Where `when` is about the elements, that is theirs to say. */
static bool is_unwanted(const struct composition *self, const struct call_plan *plan)
{
    return plan->when && plan->when->root != REFERENCE_EACH &&
           !reference_is_true(plan->when, &self->values);
}

static void start(struct composition *self, unsigned index)
{
    const struct call_plan *plan = &self->route->calls[index];
    struct step *step = &self->steps[index];
    self->started |= bit(index);
    if (is_unwanted(self, plan) && plan->otherwise) {
        use_else(self, index);
    } else if (is_unwanted(self, plan)) {
        self->done |= bit(index); /* whatever refers to it is missing */
    } else if (plan->each) {
        step->each = each_new(plan, index, &self->terms, &self->values);
        settle_each(self, index);
    } else {
        start_ask(self, index);
    }
}

/* Calls that have begun with their elements go on with them. */
static void go_on(struct composition *self)
{
    for (unsigned i = 0; i < self->route->call_count; i++) {
        struct each *each = self->steps[i].each;
        if (!each || each_state(each) != EACH_RUNNING)
            continue;
        if (may_start(self, i))
            each_go_on(each);
        else if (changes_in_vain(self, i))
            self->skipped |= bit(i); /* its other elements are never asked for */
        settle_each(self, i);
    }
}

/* Starts every call whose needs are met, and skips those that will never be made. */
static void start_ready(struct composition *self)
{
    go_on(self);
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < self->route->call_count; i++) {
            uint32_t after = self->route->calls[i].after;
            if ((self->started | self->skipped) & bit(i))
                continue;
            if (is_hopeless(self, i)) {
                again |= skip(self, i);
            } else if ((after & self->done) == after && may_start(self, i)) {
                start(self, i);
                again |= ((self->failed | self->done) & bit(i)) != 0; /* it ended at once */
            }
        }
    }
}

/* A call on the wire has ended. */
static void settle(struct composition *self, struct ask *ask)
{
    struct each *each = self->steps[ask->step].each;
    if (each) {
        each_ended(each, ask);
        settle_each(self, ask->step);
    } else {
        ask_judge(ask, &self->terms);
        settle_ask(self, ask->step);
    }
}

/* Can the failure's reply be told already? Only when no call before it can still fail, and what
 * the failure body shows of other calls is there or will never be. */
static bool is_decided(const struct composition *self)
{
    uint32_t needed = needed_for_failure(self);
    return self->failed && (needed & (self->done | self->failed | self->skipped)) == needed;
}

static void log_given_up(struct composition *self)
{
    uint32_t given_up = self->started & ~(self->done | self->failed);
    for (unsigned i = 0; i < self->route->call_count; i++) {
        const struct step *step = &self->steps[i];
        if (given_up & bit(i) && step->each)
            each_log(step->each);
        else if (given_up & bit(i))
            failure_log_call(self->request, self->route->calls[i].name, &step->ask.call);
    }
}

static void run_calls(struct composition *self)
{
    struct caller *caller = self->request->thread;
    struct call *ended;
    start_ready(self);
    while (!is_decided(self) && (ended = caller_next(caller))) {
        settle(self, ask_of(ended));
        start_ready(self);
    }
    caller_cancel(caller);
    log_given_up(self);
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
    failure_retry_after(reply, call);
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

/* Where the route's jq program gives nothing that could be sent, that is logged. */
static enum jq_outcome make_body(struct composition *self, struct str *body)
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
    if (!route->jq)
        return JQ_DONE;
    enum jq_outcome outcome =
        jq_program_run(route->jq, *body, self->terms.deadline_us, self->request->arena, body, &why);
    if (outcome != JQ_DONE)
        log_problem(self->request, "jq: %s", why);
    return outcome;
}

/* Does an `else` stand in for what a service should have said? */
static bool is_makeshift(const struct composition *self)
{
    for (unsigned i = 0; i < self->route->call_count; i++) {
        const struct step *step = &self->steps[i];
        if (step->each ? each_has_failed(step->each) : ask_has_failed(&step->ask))
            return true;
    }
    return false;
}

static int reply_success(struct composition *self, struct reply *reply)
{
    struct str body;
    enum jq_outcome outcome = make_body(self, &body);
    if (outcome != JQ_DONE) {
        struct error_values error = failure_of_jq(&self->route->errors, outcome == JQ_LATE);
        return tell_failure(self, reply, &error);
    }
    int status = reply_json(reply, success_status(self), body);
    reply->is_makeshift = is_makeshift(self);
    field_change_reply(reply, &self->route->fields, &self->values);
    return status;
}

/* 0, or the status of the reply to a body that is none. */
static int read_body(struct composition *self, struct reply *reply, struct json *body)
{
    long long before_us = log_clock_us();
    if (self->request->body_length > ASK_LONG_BODY)
        crew_take_thread();
    int status = body_read_json(self->request, reply, "application/json", body);
    self->values.body = status ? NULL : body;
    self->reading_us = log_clock_us() - before_us;
    return status;
}

/* The deadline is counted from when the request is there, its body too: a client that sends one
 * slowly takes its time from nobody. What the request has waited for a thread is part of it. */
static void set_terms(struct composition *self)
{
    int route_ms = self->route->timeout_ms ? self->route->timeout_ms : ROUTE_TIMEOUT_MS;
    self->terms = (struct ask_terms){
        .request = self->request,
        .fields = forward_composed(self->request),
        .route_ms = route_ms,
        .deadline_us = self->request->arrived_us + self->reading_us + route_ms * 1000LL,
        .keeps_5xx = !self->route->failure,
    };
}

int compose(struct request *request, struct reply *reply, const struct config *config,
    const struct route *route, const struct route_match *match)
{
    struct composition self = { .request = request, .config = config, .route = route };
    self.steps = arena_zero(request->arena, route->call_count * sizeof *self.steps);
    self.replies = arena_zero(request->arena, route->call_count * sizeof *self.replies);
    struct json body;
    self.values =
        (struct reference_values){ .request = request, .match = match, .replies = self.replies };
    int status = route->needs_body ? read_body(&self, reply, &body) : 0;
    if (status)
        return status;
    set_terms(&self);
    const char *lack = lack_find(route, &self.terms, &self.values);
    if (lack)
        return reply_error(reply, 400, "Bad request", lack);
    run_calls(&self);
    int first = first_failed(&self);
    if (first < 0)
        return reply_success(&self, reply);
    const struct call *call = self.steps[first].failed;
    if (call->outcome == CALL_UNMADE)
        return reply_error(reply, 400, "Bad request", call->cause);
    return call->outcome == CALL_OK ? pass_on(reply, call, route)
                                    : reply_failure(&self, reply, call);
}
