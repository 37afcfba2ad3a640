/* plan: how one route is answered, read from its value in the file.
 *
 * The order of calls comes from their references: a call that needs another's reply waits for it.
 * That is worked out here, once, so that a request only follows bit masks.
 */
#include "plan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A route while it is read: its calls' names must be known before any reference is parsed. */
struct plan {
    struct config *config;
    struct route *route;
    struct reference_scope scope;
    uint32_t call_nodes[CALLS_MAX];
    uint32_t reply, failure; /* nodes, or JSON_NONE */
};

static const struct upstream *find_upstream(
    struct settings *settings, uint32_t node, const struct config *config, struct str name)
{
    for (unsigned i = 0; i < config->upstream_count; i++)
        if (str_eq(config->upstreams[i].name, name))
            return &config->upstreams[i];
    const char **known = arena_alloc(settings->arena, (config->upstream_count + 1) * sizeof *known);
    for (unsigned i = 0; i < config->upstream_count; i++) {
        struct str one = config->upstreams[i].name;
        known[i] = arena_copy(settings->arena, one.at, one.len);
    }
    setting_mistake(settings, node, "there is no upstream '%.*s'%s", (int)name.len, name.at,
        mistake_suggestion(settings->arena, name, known, config->upstream_count));
    return NULL;
}

/* Takes the next word off a call's text. */
static struct str next_word(struct str *text)
{
    while (text->len && *text->at == ' ')
        *text = (struct str){ text->at + 1, text->len - 1 };
    const char *space = text->len ? memchr(text->at, ' ', text->len) : NULL;
    struct str word = { text->at, space ? (size_t)(space - text->at) : text->len };
    *text = (struct str){ text->at + word.len, text->len - word.len };
    return word;
}

/* "users GET /users/{id}" */
static void read_call(struct settings *settings, struct plan *plan, unsigned index)
{
    struct call_plan *call = &plan->route->calls[index];
    uint32_t node = plan->call_nodes[index];
    struct str text;
    if (!setting_template_text(settings, node, &text))
        return;
    struct str upstream = next_word(&text), method = next_word(&text), target = next_word(&text);
    struct str more = next_word(&text);
    if (target.len == 0 || *target.at != '/' || more.len) {
        setting_mistake(settings, node, "a call is \"upstream GET /path\"");
        return;
    }
    if (!str_is(method, "GET")) {
        setting_mistake(
            settings, node, "a call's method is GET, not '%.*s'", (int)method.len, method.at);
        return;
    }
    call->upstream = find_upstream(settings, node, plan->config, upstream);
    call->method = "GET";
    plan->scope.used = 0;
    call->target = template_text_new(settings, node, target, &plan->scope);
    call->after = plan->scope.used;
}

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

static void note_calls(struct settings *settings, uint32_t node, void *target)
{
    struct route *route = ((struct plan *)target)->route;
    size_t count = settings->json.nodes[node].count;
    route->calls = arena_zero(settings->arena, count * sizeof *route->calls);
    setting_each(settings, node, note_call, target);
}

static void note_reply(struct settings *settings, uint32_t node, void *target)
{
    (void)settings;
    ((struct plan *)target)->reply = node;
}

static void note_failure(struct settings *settings, uint32_t node, void *target)
{
    (void)settings;
    ((struct plan *)target)->failure = node;
}

static void read_status(struct settings *settings, uint32_t node, void *target)
{
    setting_int(settings, node, 200, 599, &((struct plan *)target)->route->status);
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

static void read_object(struct settings *settings, uint32_t node, struct plan *plan)
{
    static const struct setting known[] = {
        { "calls", false, note_calls },
        { "reply", true, note_reply },
        { "status", false, read_status },
        { "failure", false, note_failure },
    };
    struct route *route = plan->route;
    route->kind = ROUTE_COMPOSE;
    route->status = 200;
    if (!setting_object(settings, node, known, COUNT(known), plan))
        return;
    for (unsigned i = 0; i < route->call_count; i++)
        read_call(settings, plan, i);
    check_cycles(settings, plan);
    if (plan->reply != JSON_NONE)
        route->reply = template_new(settings, plan->reply, &plan->scope);
    plan->scope.has_error = true;
    plan->scope.used = 0;
    if (plan->failure != JSON_NONE)
        route->failure = template_new(settings, plan->failure, &plan->scope);
    route->failure_needs = plan->scope.used;
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
        plan->route->upstream = find_upstream(settings, node, plan->config, text);
}

void plan_read(struct settings *settings, uint32_t node, struct config *config, struct route *route)
{
    struct plan plan = {
        .config = config,
        .route = route,
        .scope = { .pattern = route->line },
        .reply = JSON_NONE,
        .failure = JSON_NONE,
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
