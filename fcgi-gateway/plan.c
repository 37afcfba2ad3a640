/* plan: how one route is answered, read from its value in the file.
 *
 * The order of calls comes from their references: a call that needs another's reply waits for it.
 * That is worked out here, once, so that a request only follows bit masks.
 */
#include "plan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What a route that is an object may say. */
enum { CALLS, REPLY, STATUS, HEADERS, FAILURE, KEY_COUNT };
static const char *const keys[KEY_COUNT] = {
    [CALLS] = "calls",
    [REPLY] = "reply",
    [STATUS] = "status",
    [HEADERS] = "headers",
    [FAILURE] = "failure",
};

/* A route while it is read: its calls' names must be known before any reference is parsed. */
struct plan {
    struct config *config;
    struct route *route;
    struct reference_scope scope;
    uint32_t call_nodes[CALLS_MAX];
    uint32_t nodes[KEY_COUNT]; /* the values of its keys, or JSON_NONE */
};

/* First words of references that mean something else than a parameter or a call. */
static const char *const reserved[] = { "query", "header", "body", "error" };

/* Notes the calls' names and where they stand. */
static void note_call(struct settings *settings, uint32_t name, uint32_t value, void *target)
{
    struct plan *plan = target;
    struct route *route = plan->route;
    struct str text = json_string(&settings->json, name, settings->arena);
    if (route->call_count == CALLS_MAX) {
        setting_mistake(settings, name, "a route has at most %d calls", CALLS_MAX);
        return;
    }
    for (unsigned i = 0; i < COUNT(reserved); i++)
        if (str_is(text, reserved[i]))
            setting_mistake(settings, name, "'%s' means something else in references", reserved[i]);
    if (reference_is_parameter(route->line, text))
        setting_mistake(settings, name, "'%.*s' is a path parameter of this route already",
            (int)text.len, text.at);
    if (text.len == 0 || memchr(text.at, '.', text.len) || memchr(text.at, '}', text.len))
        setting_mistake(settings, name, "a call's name is a word without '.' and '}'");
    plan->call_nodes[route->call_count] = value;
    plan->scope.calls[plan->scope.call_count++] = text;
    route->calls[route->call_count++].name = text;
}

static void note_calls(struct settings *settings, struct plan *plan)
{
    uint32_t node = plan->nodes[CALLS];
    if (node == JSON_NONE)
        return;
    size_t count = settings->json.nodes[node].count;
    plan->route->calls = arena_zero(settings->arena, count * sizeof *plan->route->calls);
    setting_each(settings, node, note_call, plan);
}

/* Takes away, again and again, the calls that wait for nothing that is left. What cannot be taken
 * away waits in a circle. */
static void check_cycles(struct settings *settings, const struct plan *plan)
{
    const struct route *route = plan->route;
    uint32_t left = 0, before;
    for (unsigned i = 0; i < route->call_count; i++)
        left |= (uint32_t)1 << i;
    do {
        before = left;
        for (unsigned i = 0; i < route->call_count; i++)
            if (!(route->calls[i].after & left))
                left &= ~((uint32_t)1 << i);
    } while (left != before);
    for (unsigned i = 0; i < route->call_count; i++)
        if (left >> i & 1)
            setting_mistake(settings, plan->call_nodes[i],
                "call '%.*s' waits for its own reply, directly or through other calls",
                (int)route->calls[i].name.len, route->calls[i].name.at);
}

/* The reply's parts, which may refer to all calls. */
static void read_reply(struct settings *settings, struct plan *plan)
{
    struct route *route = plan->route;
    if (plan->nodes[REPLY] != JSON_NONE)
        route->reply = template_new(settings, plan->nodes[REPLY], &plan->scope);
    if (plan->nodes[HEADERS] != JSON_NONE)
        field_plans_read(settings, plan->nodes[HEADERS], &plan->scope, &route->fields);
    uint32_t status = plan->nodes[STATUS];
    if (status == JSON_NONE)
        return;
    if (settings->json.nodes[status].type == JSON_STRING)
        route->status_reference = template_only_reference(settings, status, &plan->scope);
    else
        setting_int(settings, status, 200, 599, &route->status);
}

static void read_object(struct settings *settings, uint32_t node, struct plan *plan)
{
    struct route *route = plan->route;
    route->kind = ROUTE_COMPOSE;
    route->status = 200;
    if (!setting_members(settings, node, keys, KEY_COUNT, plan->nodes))
        return;
    if (plan->nodes[REPLY] == JSON_NONE)
        setting_mistake(settings, node, "'reply' is missing here");
    note_calls(settings, plan);
    for (unsigned i = 0; i < route->call_count; i++)
        call_plan_read(settings, plan->call_nodes[i], plan->config, &plan->scope, &route->calls[i]);
    check_cycles(settings, plan);
    read_reply(settings, plan);
    plan->scope.has_error = true;
    plan->scope.used = 0;
    if (plan->nodes[FAILURE] != JSON_NONE)
        route->failure = template_new(settings, plan->nodes[FAILURE], &plan->scope);
    route->failure_needs = plan->scope.used;
    route->needs_body = plan->scope.uses_body;
}

static void read_short_form(struct settings *settings, uint32_t node, struct plan *plan)
{
    static const char *const builtins[] = { "builtin:health" };
    struct str text;
    if (!setting_text(settings, node, &text))
        return;
    if (str_is(text, "builtin:health"))
        plan->route->kind = ROUTE_HEALTH;
    else if (text.len >= 8 && memcmp(text.at, "builtin:", 8) == 0)
        setting_mistake(settings, node, "there is no '%.*s'%s", (int)text.len, text.at,
            mistake_suggestion(settings->arena, text, builtins, COUNT(builtins)));
    else
        plan->route->upstream = call_plan_upstream(settings, node, plan->config, text);
}

void plan_read(struct settings *settings, uint32_t node, struct config *config, struct route *route)
{
    struct plan plan = {
        .config = config,
        .route = route,
        .scope = { .pattern = route->line },
    };
    for (unsigned i = 0; i < COUNT(reserved); i++)
        if (reference_is_parameter(route->line, str_of(reserved[i])))
            mistake_add(settings->mistakes, route->at,
                "'%s' means something else in references: name the path parameter otherwise",
                reserved[i]);
    switch (settings->json.nodes[node].type) {
    case JSON_STRING:
        read_short_form(settings, node, &plan);
        break;
    case JSON_OBJECT:
        read_object(settings, node, &plan);
        break;
    default:
        setting_mistake(settings, node,
            "a route is the name of an upstream, \"builtin:health\", or an object with a 'reply'");
    }
}
