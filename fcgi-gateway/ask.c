/* ask: one call of a composed route, from its plan to a reply that can be used.
 *
 * Knows nothing of the graph that the call is part of, nor what follows from its failing.
 */
#include "ask.h"
#include "failure.h"
#include "forward.h"
#include "lib/crew.h"
#include "lib/log.h"
#include "upstream_key.h"

struct ask *ask_of(struct call *call)
{
    return (struct ask *)call;
}

/* Bytes of a call's body that are still to be sent. */
static ssize_t read_body(struct call *call, void *bytes, size_t size)
{
    struct str *left = &ask_of(call)->left;
    size_t len = left->len < size ? left->len : size;
    if (len)
        memcpy(bytes, left->at, len);
    *left = (struct str){ left->at + len, left->len - len };
    return (ssize_t)len;
}

/* These methods have a body even when it is empty: Content-Length: 0 is sent (RFC 9110 section
 * 8.6). */
static bool has_body(const struct call_plan *plan)
{
    return plan->body || strcmp(plan->method, "POST") == 0 || strcmp(plan->method, "PUT") == 0 ||
           strcmp(plan->method, "PATCH") == 0;
}

static void set_body(
    struct ask *ask, const struct template *template, const struct reference_values *values)
{
    struct buf body;
    buf_init(&body, ask->call.arena);
    if (template && !template_write(template, values, &body))
        buf_text(&body, "{}"); /* as in a reply: nothing of it is there */
    ask->body = ask->left = buf_as_str(&body);
    ask->call.read = read_body;
    ask->call.body_length = (int64_t)body.len;
}

static const struct call_field *prepend(
    struct arena *arena, struct str name, struct str value, const struct call_field *rest)
{
    struct call_field *field = arena_alloc(arena, sizeof *field);
    *field = (struct call_field){ name, value, (struct call_field *)rest };
    return field;
}

/* Those of the fields that every call has and that the file does not name. */
static const struct call_field *without_named(
    const struct call_field *fields, const struct field_plans *named, struct arena *arena)
{
    const struct call_field *rest = fields ? without_named(fields->next, named, arena) : NULL;
    if (!fields || field_plans_name(named, fields->name))
        return rest;
    return rest == fields->next ? fields : prepend(arena, fields->name, fields->value, rest);
}

/* The fields that the file says, in front of those that every call has: what the file names, only
 * the file says. */
static void set_fields(struct ask *ask, const struct call_plan *plan, const struct ask_terms *terms,
    const struct reference_values *values)
{
    const struct field_plans *named = &plan->fields;
    struct arena *arena = ask->call.arena;
    const struct call_field *first = without_named(terms->fields, named, arena);
    if (plan->body && !field_plans_name(named, STR("Content-Type")))
        first = prepend(arena, STR("Content-Type"), STR("application/json"), first);
    for (unsigned i = named->count; i-- > 0;) {
        struct str value = field_plan_value(&named->list[i], values, arena);
        if (value.at)
            first = prepend(arena, named->list[i].name, value, first);
    }
    ask->call.fields = first;
}

const struct reference *ask_prepare(struct ask *ask, const struct call_plan *plan,
    const struct ask_terms *terms, const struct reference_values *values)
{
    struct arena *arena = terms->request->arena;
    struct buf target;
    buf_init(&target, arena);
    *ask = (struct ask){
        .call = {
            .upstream = plan->upstream,
            .method = plan->method,
            .timeout_ms = plan->timeout_ms ? plan->timeout_ms : plan->upstream->timeout_ms,
            .deadline_us = terms->deadline_us,
            .request_ms = terms->route_ms,
            .arena = arena,
            .key = upstream_key(plan->upstream, values),
        },
    };
    const struct reference *missing = template_text_write_target(plan->target, values, &target);
    if (missing)
        return missing;
    ask->call.target = buf_as_text(&target);
    if (has_body(plan))
        set_body(ask, plan->body, values);
    set_fields(ask, plan, terms, values);
    return NULL;
}

void ask_start(struct ask *ask, const struct ask_terms *terms)
{
    if (log_clock_us() < terms->deadline_us) {
        caller_start(terms->request->thread, &ask->call);
        return;
    }
    ask->call.outcome = CALL_TIMEOUT;
    ask->call.is_past_deadline = true;
    ask_judge(ask, terms);
}

static void fail(struct ask *ask, enum call_outcome outcome, const char *cause)
{
    ask->call.outcome = outcome;
    ask->call.cause = cause;
}

static const char *past_deadline(const struct ask_terms *terms)
{
    struct buf text;
    buf_init(&text, terms->request->arena);
    buf_printf(&text, "The route's deadline of %s has passed",
        failure_duration(terms->request->arena, terms->route_ms));
    return buf_as_text(&text);
}

static const char *answered(const struct call *call)
{
    struct buf text;
    buf_init(&text, call->arena);
    buf_printf(&text, "Service answered %d", call->status);
    return buf_as_text(&text);
}

static bool is_json(const struct call *call)
{
    struct json json;
    return json_read(&json, call->body, call->arena, NULL);
}

/* A 4xx is the client's business. So is a 5xx where the file says nothing better: the service knows
 * better than we do what is wrong. */
static bool is_for_client(const struct call *call, const struct ask_terms *terms)
{
    return (call->status >= 400 && call->status < 500) ||
           (call->status >= 500 && terms->keeps_5xx && is_json(call));
}

void ask_judge(struct ask *ask, const struct ask_terms *terms)
{
    struct call *call = &ask->call;
    if (call->body.len > ASK_LONG_BODY)
        crew_take_thread();
    ask->is_ended = true;
    if (call->outcome == CALL_TIMEOUT && call->is_past_deadline)
        call->cause = past_deadline(terms);
    if (call->outcome != CALL_OK || is_for_client(call, terms))
        return;
    if (call->status >= 500)
        fail(ask, CALL_UNREACHABLE, answered(call));
    else if (call->status >= 300)
        fail(ask, CALL_BROKEN, answered(call));
    else if (call->body.len && !json_read(&ask->reply.json, call->body, call->arena, NULL))
        fail(ask, CALL_BROKEN, "The reply is not JSON");
    else
        ask->is_good = true;
    ask->reply.is_there = ask->is_good && call->body.len > 0;
    ask->reply.call = ask->is_good ? call : NULL;
}

void ask_log_lack(const struct call_plan *plan, const struct ask_terms *terms, const char *lack)
{
    if (!plan->otherwise)
        log_problem(terms->request, "call %.*s: %s", (int)plan->name.len, plan->name.at, lack);
}

/* Services' names of things are not the client's business. */
void ask_lack(struct ask *ask, const struct call_plan *plan, const struct ask_terms *terms,
    const char *lack, bool is_clients)
{
    ask->is_ended = true;
    fail(ask, is_clients ? CALL_UNMADE : CALL_BROKEN,
        is_clients ? lack : "A reply lacks what this call needs");
    if (!is_clients)
        ask_log_lack(plan, terms, lack);
}

bool ask_has_failed(const struct ask *ask)
{
    const struct call *call = &ask->call;
    if (!ask->is_ended || ask->is_good || call->outcome == CALL_UNMADE)
        return false;
    return call->outcome != CALL_OK || call->status >= 500;
}
