/* explain_calls: the calls of a route in waves, and what happens when one of them fails, or the jq
 * program behind them.
 *
 * A wave is what waits for the same number of calls, one after the other. Calls do not wait for
 * their wave, only for those that they refer to, and each line names these. Knows nothing of how
 * calls are made.
 */
#include "columns.h"
#include "explain_part.h"
#include "quantity.h"

/* What the file says of call number `call`: its value. */
static uint32_t call_node(const struct explanation *self, unsigned call)
{
    const struct json *json = &self->config->json;
    uint32_t calls = json_member(json, self->node, STR("calls"));
    return json_member(json, calls, self->route->calls[call].name);
}

/* The value of a key of a call, or JSON_NONE; a call that is a text has none. */
static uint32_t call_member(const struct explanation *self, unsigned call, const char *name)
{
    return json_member(&self->config->json, call_node(self, call), str_of(name));
}

/* "users GET /users/{id}" as the file says it */
static const char *call_line(struct explanation *self, unsigned call)
{
    uint32_t line = call_member(self, call, "call");
    struct str text = json_string(
        &self->config->json, line == JSON_NONE ? call_node(self, call) : line, self->arena);
    return arena_copy(self->arena, text.at, text.len);
}

/* Fills the wave of each call, from 0: of calls that wait for nothing. There are no circles, so no
 * call is later than there are calls. */
static void find_waves(const struct route *route, unsigned *waves)
{
    memset(waves, 0, CALLS_MAX * sizeof *waves);
    for (unsigned round = 0; round < route->call_count; round++)
        for (unsigned i = 0; i < route->call_count; i++)
            for (unsigned j = 0; j < route->call_count; j++)
                if (route->calls[i].after >> j & 1 && waves[i] <= waves[j])
                    waves[i] = waves[j] + 1;
}

/* "after user, order" */
static void add_needs(const struct route *route, unsigned call, struct buf *out)
{
    const char *between = "after ";
    for (unsigned i = 0; i < route->call_count; i++)
        if (route->calls[call].after >> i & 1) {
            buf_text(out, between);
            buf_str(out, route->calls[i].name);
            between = ", ";
        }
}

static void add_key(struct explanation *self, unsigned call, const char *key, struct buf *out)
{
    uint32_t node = call_member(self, call, key);
    if (node != JSON_NONE)
        buf_printf(out, "%s%s %s", out->len ? "; " : "", key, explain_value(self, node));
}

static int deadline_of(const struct route *route)
{
    return route->timeout_ms ? route->timeout_ms : ROUTE_TIMEOUT_MS;
}

static void add_call(struct explanation *self, struct columns *table, unsigned call)
{
    const struct call_plan *plan = &self->route->calls[call];
    struct buf within, when;
    buf_init(&within, self->arena);
    buf_init(&when, self->arena);
    int timeout_ms = plan->timeout_ms ? plan->timeout_ms : plan->upstream->timeout_ms;
    if (timeout_ms > deadline_of(self->route))
        timeout_ms = deadline_of(self->route);
    buf_printf(&within, "within %s", quantity_duration(self->arena, timeout_ms));
    add_needs(self->route, call, &when);
    add_key(self, call, "each", &when);
    if (plan->each)
        buf_printf(&when, ", %d at the same time", plan->at_once);
    add_key(self, call, "when", &when);
    columns_add(table, (const char *[]){ arena_copy(self->arena, plan->name.at, plan->name.len),
                           call_line(self, call), buf_as_text(&within), buf_as_text(&when) });
}

void explain_calls(struct explanation *self)
{
    explain_line(self, "Deadline", "%s for %s",
        quantity_duration(self->arena, deadline_of(self->route)),
        self->route->call_count ? "all calls together" : "the jq program");
    unsigned waves[CALLS_MAX], left = self->route->call_count;
    find_waves(self->route, waves);
    for (unsigned wave = 0; left; wave++) {
        struct columns table;
        columns_init(&table, self->arena, 4);
        for (unsigned i = 0; i < self->route->call_count; i++)
            if (waves[i] == wave) {
                add_call(self, &table, i);
                left--;
            }
        explain_line(self, wave ? "" : "Calls", "%s%s", wave ? "then" : "first",
            table.row_count > 1 ? ", at the same time" : "");
        columns_print(&table, EXPLAIN_INDENT + 2, self->out);
    }
}

/* --- failures --- */

static const char jq_failures[] =
    "of jq: an error, no value or several count as broken, too long as timeout";

/* Calls whose failure is the route's: "user, orders". */
static const char *required_calls(struct explanation *self)
{
    struct buf names;
    buf_init(&names, self->arena);
    for (unsigned i = 0; i < self->route->call_count; i++)
        if (call_member(self, i, "else") == JSON_NONE) {
            buf_text(&names, names.len ? ", " : "");
            buf_str(&names, self->route->calls[i].name);
        }
    return buf_as_text(&names);
}

static void say_replaced(struct explanation *self)
{
    for (unsigned i = 0; i < self->route->call_count; i++) {
        uint32_t otherwise = call_member(self, i, "else");
        struct str name = self->route->calls[i].name;
        if (otherwise != JSON_NONE)
            explain_line(self, "", "of %.*s: its 'else' takes the place of its reply: %s",
                (int)name.len, name.at, explain_value(self, otherwise));
    }
}

/* What comes back from a service and is no success, in a composed route. */
static void add_bad_statuses(struct explanation *self, struct columns *table)
{
    columns_add(table, (const char *[]){ "4xx", "goes to the client as it is" });
    columns_add(
        table, (const char *[]){ "5xx",
                   self->route->failure
                       ? "counts as unreachable"
                       : "goes to the client as it is if it is JSON, else counts as unreachable" });
    columns_add(table, (const char *[]){ "3xx, no JSON", "counts as broken" });
}

/* A program is never unreachable or refused. */
static void add_causes(struct explanation *self, struct columns *table, bool of_calls)
{
    enum error_cause first = of_calls ? ERROR_UNREACHABLE : ERROR_TIMEOUT;
    enum error_cause last = of_calls ? ERROR_REFUSED : ERROR_BROKEN;
    for (enum error_cause cause = first; cause <= last; cause++) {
        struct buf status;
        buf_init(&status, self->arena);
        buf_int(&status, self->route->errors.statuses[cause]);
        columns_add(table, (const char *[]){ error_cause_name(cause), buf_as_text(&status) });
    }
}

static void say_body(struct explanation *self)
{
    const struct json *json = &self->config->json;
    uint32_t failure = json_member(json, self->node, STR("failure"));
    uint32_t body = json_member(json, json_member(json, self->node, STR("errors")), STR("body"));
    if (body == JSON_NONE) /* null is something that is said: the usual body */
        body = json_member(json, json_member(json, 0, STR("errors")), STR("body"));
    if (failure != JSON_NONE)
        explain_line(self, "", "with the body of 'failure': %s", explain_value(self, failure));
    else if (self->route->errors.body)
        explain_line(self, "", "with the body of 'errors': %s", explain_value(self, body));
    else
        explain_line(self, "", "with a body of the gateway's own: error, message");
}

/* What it is whose failure is the route's: the service, calls, or only the program behind them. */
static void say_failing(struct explanation *self, const char *required)
{
    if (self->route->kind != ROUTE_COMPOSE)
        explain_line(self, "Failures", "of the service");
    else if (*required)
        explain_line(self, "Failures", "of %s%s", required,
            strchr(required, ',') ? ": the first in this order counts" : "");
    else
        explain_line(self, "Failures", "%s",
            self->route->jq ? jq_failures : "change nothing but the reply's parts");
}

void explain_failures(struct explanation *self)
{
    struct columns table;
    const char *required = required_calls(self);
    bool is_composed = self->route->kind == ROUTE_COMPOSE, of_calls = !is_composed || *required;
    columns_init(&table, self->arena, 2);
    if (is_composed && of_calls)
        add_bad_statuses(self, &table);
    add_causes(self, &table, of_calls);
    say_failing(self, required);
    if (of_calls || self->route->jq) {
        columns_print(&table, EXPLAIN_INDENT + 2, self->out);
        say_body(self);
    }
    if (*required && self->route->jq)
        explain_line(self, "", "%s", jq_failures);
    say_replaced(self);
}
