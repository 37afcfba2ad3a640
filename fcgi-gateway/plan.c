/* plan: how one route is answered, read from its value in the file.
 *
 * A route is of one kind, which one of its keys says; which others go with it stands in one table.
 *
 * The order of calls comes from their references: a call that needs another's reply waits for it.
 * That is worked out here, once, so that a request only follows bit masks.
 */
#include "plan.h"
#include "shape.h"
#include "target_plan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A route while it is read: its calls' names must be known before any reference is parsed. */
struct plan {
    struct config *config;
    struct route *route;
    struct reference_scope scope;
    uint32_t call_nodes[CALLS_MAX];
    struct str own_query; /* of the path in `pass` */
};

/* Other calls must know that this one has many replies, and that it cannot be anything but an array
 * where it has no `else`. */
static void note_each(struct settings *settings, uint32_t node, struct reference_scope *scope)
{
    uint32_t bit = (uint32_t)1 << scope->call_count;
    if (json_member(&settings->json, node, STR("each")) == JSON_NONE)
        return;
    scope->many |= bit;
    if (json_member(&settings->json, node, STR("else")) == JSON_NONE)
        scope->arrays |= bit;
}

/* In the calls' object at `node` there may be more than a route can have. */
static void make_room(struct settings *settings, uint32_t node, struct plan *plan)
{
    size_t count = settings->json.nodes[node].count;
    plan->route->calls = arena_zero(settings->arena, count * sizeof *plan->route->calls);
    plan->scope.left_out = arena_alloc(settings->arena, count * sizeof *plan->scope.left_out);
}

/* Notes the calls' names and where they stand. */
static void note_call(struct settings *settings, uint32_t name, uint32_t value, void *target)
{
    struct plan *plan = target;
    struct route *route = plan->route;
    struct str text = json_string(&settings->json, name, settings->arena);
    if (route->call_count == CALLS_MAX) {
        setting_mistake(settings, name, "a route has at most %d calls", CALLS_MAX);
        plan->scope.left_out[plan->scope.left_out_count++] = text;
        return;
    }
    bool is_taken = reference_is_reserved(text) || reference_is_parameter(route->line, text);
    if (reference_is_reserved(text))
        setting_mistake(settings, name,
            "'%.*s' means something else in references: name the call otherwise", (int)text.len,
            text.at);
    if (reference_is_parameter(route->line, text))
        setting_mistake(settings, name, "'%.*s' is a path parameter of this route already",
            (int)text.len, text.at);
    if (!setting_is_word(text, ".:{}"))
        setting_mistake(
            settings, name, "a call's name is one word without ' ', '.', ':', '{', '}'");
    plan->call_nodes[route->call_count] = value;
    note_each(settings, value, &plan->scope);
    /* References to a name that is taken are not to this call: it does not wait for itself. */
    plan->scope.calls[plan->scope.call_count++] = is_taken ? (struct str){ NULL, 0 } : text;
    route->calls[route->call_count++].name = text;
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

static void read_calls(struct settings *settings, uint32_t node, struct plan *plan)
{
    struct route *route = plan->route;
    make_room(settings, node, plan);
    if (!setting_each(settings, node, note_call, plan))
        return;
    for (unsigned i = 0; i < route->call_count; i++)
        call_plan_read(settings, plan->call_nodes[i], plan->config, &plan->scope, &route->calls[i]);
    check_cycles(settings, plan);
}

static void read_pass(struct settings *settings, uint32_t node, struct plan *plan)
{
    plan->own_query =
        target_plan_read_pass(settings, node, plan->config, &plan->scope, plan->route);
}

static void read_redirect(struct settings *settings, uint32_t node, struct plan *plan)
{
    target_plan_read_redirect(settings, node, &plan->scope, plan->route);
}

static void read_request(struct settings *settings, uint32_t node, struct plan *plan)
{
    request_plan_read(settings, node, &plan->scope, plan->own_query, &plan->route->request);
}

static void read_reply(struct settings *settings, uint32_t node, struct plan *plan)
{
    plan->route->reply = template_new(settings, node, &plan->scope);
    plan->route->reply_shape = shape_of(settings, node);
}

static void read_jq(struct settings *settings, uint32_t node, struct plan *plan)
{
    plan->route->jq = jq_plan_add(plan->config->jq, settings, node);
}

/* Those that send a client elsewhere by themselves: RFC 9110 section 15.4. */
static void read_redirect_status(struct settings *settings, uint32_t node, int *status)
{
    if (!setting_int(settings, node, 100, 599, status))
        return;
    if (*status < 301 || *status > 308 || (*status > 303 && *status < 307))
        setting_mistake(settings, node, "a redirect's status is 301, 302, 303, 307 or 308");
}

static void read_status(struct settings *settings, uint32_t node, struct plan *plan)
{
    struct route *route = plan->route;
    if (route->kind == ROUTE_REDIRECT)
        read_redirect_status(settings, node, &route->status);
    else if (settings->json.nodes[node].type == JSON_STRING)
        route->status_reference = template_only_reference(settings, node, &plan->scope);
    else
        setting_int(settings, node, 200, 599, &route->status);
}

static void read_headers(struct settings *settings, uint32_t node, struct plan *plan)
{
    field_plans_read_changes(settings, node, &plan->scope, &plan->route->fields);
}

/* Only here references may be to the error. */
static void read_failure(struct settings *settings, uint32_t node, struct plan *plan)
{
    plan->scope.has_error = true;
    plan->scope.used = 0;
    plan->route->failure = template_new(settings, node, &plan->scope);
    plan->route->failure_needs = plan->scope.used;
    plan->route->failure_shape = shape_of(settings, node);
    plan->scope.has_error = false;
}

static void read_timeout(struct settings *settings, uint32_t node, struct plan *plan)
{
    setting_duration(settings, node, &plan->route->timeout_ms);
}

static void read_cache(struct settings *settings, uint32_t node, struct plan *plan)
{
    struct str methods = plan->route->line;
    methods = str_take(&methods, ' ');
    cache_plan_read(settings, node, &plan->route->cache);
    if (!memmem(methods.at, methods.len, "GET", 3))
        setting_mistake(settings, node, "only replies to GET are kept, and this route has none");
}

static void read_coalesce(struct settings *settings, uint32_t node, struct plan *plan)
{
    cache_plan_read_coalesce(settings, node, &plan->route->cache);
}

static void read_errors(struct settings *settings, uint32_t node, struct plan *plan)
{
    error_plan_read(settings, node, &plan->route->errors);
}

static void read_cors(struct settings *settings, uint32_t node, struct plan *plan)
{
    plan->route->cors = cors_plan_read(settings, node);
}

/* --- the API's description --- */

static void read_summary(struct settings *settings, uint32_t node, struct plan *plan)
{
    setting_text(settings, node, &plan->route->summary);
}

static void read_description(struct settings *settings, uint32_t node, struct plan *plan)
{
    setting_text(settings, node, &plan->route->description);
}

/* What a schema means is for those who read the description: it is passed on as it is. */
static void read_schema(struct settings *settings, uint32_t node, struct plan *plan)
{
    if (settings->json.nodes[node].type == JSON_OBJECT)
        plan->route->schema = json_raw(&settings->json, node);
    else
        setting_mistake(settings, node, "a schema is an object (JSON Schema), not %s",
            json_type_name(settings->json.nodes[node].type));
}

static void read_body_max(struct settings *settings, uint32_t node, void *target)
{
    setting_size(settings, node, target);
}

static void read_limits(struct settings *settings, uint32_t node, struct plan *plan)
{
    static const struct setting known[] = { { "body", false, read_body_max } };
    setting_object(settings, node, known, COUNT(known), &plan->route->body_max);
}

/* --- kinds of routes --- */

enum {
    OF_PASS = 1u << ROUTE_PASS,
    OF_REDIRECT = 1u << ROUTE_REDIRECT,
    OF_COMPOSE = 1u << ROUTE_COMPOSE,
    OF_ALL = ~0u,
};

/* What a route that is an object may say. Read in this order, whatever the file's: references are
 * to calls that are known. */
static const struct key {
    const char *name;
    unsigned kinds; /* of the routes that it goes with, a bit each */
    void (*read)(struct settings *settings, uint32_t value, struct plan *plan);
} keys[] = {
    { "pass", OF_PASS, read_pass },
    { "request", OF_PASS, read_request },
    { "redirect", OF_REDIRECT, read_redirect },
    { "calls", OF_COMPOSE, read_calls },
    { "reply", OF_COMPOSE, read_reply },
    { "jq", OF_COMPOSE, read_jq },
    { "status", OF_COMPOSE | OF_REDIRECT, read_status },
    { "failure", OF_COMPOSE, read_failure },
    { "headers", OF_ALL, read_headers },
    { "limits", OF_ALL, read_limits },
    { "timeout", OF_PASS | OF_COMPOSE, read_timeout },
    { "cache", OF_PASS | OF_COMPOSE, read_cache },
    { "coalesce", OF_PASS | OF_COMPOSE, read_coalesce },
    { "errors", OF_ALL, read_errors },
    { "cors", OF_ALL, read_cors },
    { "summary", OF_ALL, read_summary },
    { "description", OF_ALL, read_description },
    { "schema", OF_ALL, read_schema },
};

/* Keys that say of which kind a route is. Of two the first is believed. */
static const struct kind_key {
    const char *name;
    enum route_kind kind;
} kind_keys[] = {
    { "pass", ROUTE_PASS },
    { "redirect", ROUTE_REDIRECT },
    { "calls", ROUTE_COMPOSE },
    { "reply", ROUTE_COMPOSE },
    { "jq", ROUTE_COMPOSE },
};

/* Reads what the object says, or notes that it does not go with the key that made the kind. Where
 * that one is missing, perhaps misspelled, anything may go with it. */
static void read_key(struct settings *settings, const struct key *key, uint32_t value,
    const struct kind_key *kind, struct plan *plan)
{
    if (kind && !(key->kinds >> kind->kind & 1)) { /* the name stands in front of its value */
        setting_mistake(settings, value - 1, "'%s' does not go with '%s'", key->name, kind->name);
        return;
    }
    key->read(settings, value, plan);
    if (plan->scope.uses_body && kind && kind->kind != ROUTE_COMPOSE)
        setting_mistake(settings, value, "{body...} is not known here: the body is never read");
    plan->route->needs_body |= plan->scope.uses_body;
    plan->scope.uses_body = false;
}

/* The key that makes the object at `node` a route of its kind, or NULL with a mistake noted. */
static const struct kind_key *find_kind(struct settings *settings, uint32_t node)
{
    for (unsigned i = 0; i < COUNT(kind_keys); i++)
        if (json_member(&settings->json, node, str_of(kind_keys[i].name)) != JSON_NONE)
            return &kind_keys[i];
    setting_mistake(settings, node, "'pass', 'redirect' or 'reply' is missing here");
    return NULL;
}

/* What only means something for a route that makes calls or runs a program. */
static void check_static(struct settings *settings, uint32_t node, const struct plan *plan)
{
    static const char *const idle[] = { "failure", "timeout" };
    const struct json *json = &settings->json;
    if (plan->route->kind != ROUTE_COMPOSE || plan->route->call_count ||
        json_member(json, node, STR("jq")) != JSON_NONE)
        return;
    for (unsigned i = 0; i < COUNT(idle); i++) {
        uint32_t value = json_member(json, node, str_of(idle[i]));
        if (value != JSON_NONE)
            setting_mistake(settings, value - 1,
                "'%s' does nothing here: there are no calls and no 'jq'", idle[i]);
    }
}

/* Content in a GET has no meaning that all agree on (RFC 9110 section 9.3.1). There are web servers
 * that let it through; the one that this is made for does not. */
static void warn_of_body(struct settings *settings, const struct plan *plan)
{
    struct str methods = plan->route->line, rest;
    methods = str_take(&methods, ' ');
    for (rest = methods; rest.len;) {
        struct str method = str_take(&rest, ',');
        if (!str_is(method, "GET") && !str_is(method, "HEAD"))
            return;
    }
    if (plan->scope.body_node)
        mistake_warn(settings->mistakes, settings->json.nodes[plan->scope.body_node].start,
            "{body...} in a route for %.*s alone: a GET with a body lighttpd answers 400, one "
            "without the gateway 415",
            (int)methods.len, methods.at);
}

static void read_object(struct settings *settings, uint32_t node, struct plan *plan)
{
    const char *names[COUNT(keys)];
    uint32_t values[COUNT(keys)];
    for (unsigned i = 0; i < COUNT(keys); i++)
        names[i] = keys[i].name;
    setting_members(settings, node, names, COUNT(keys), values);
    const struct kind_key *kind = find_kind(settings, node);
    if (kind)
        plan->route->kind = kind->kind;
    plan->route->status = plan->route->kind == ROUTE_REDIRECT ? 302 : 200;
    for (unsigned i = 0; i < COUNT(keys); i++)
        if (values[i] != JSON_NONE)
            read_key(settings, &keys[i], values[i], kind, plan);
    if (plan->route->kind == ROUTE_COMPOSE && !plan->route->reply &&
        json_member(&settings->json, node, STR("jq")) == JSON_NONE)
        setting_mistake(settings, node, "'reply' is missing here");
    check_static(settings, node, plan);
    if (plan->route->kind == ROUTE_COMPOSE)
        warn_of_body(settings, plan);
    plan->route->inputs = plan->scope.inputs;
}

static void read_short_form(struct settings *settings, uint32_t node, struct plan *plan)
{
    static const char *const builtins[] = { "builtin:health", "builtin:openapi" };
    struct str text;
    if (!setting_text(settings, node, &text))
        return;
    if (str_is(text, "builtin:health"))
        plan->route->kind = ROUTE_HEALTH;
    else if (str_is(text, "builtin:openapi"))
        plan->route->kind = ROUTE_OPENAPI;
    else if (text.len >= 8 && memcmp(text.at, "builtin:", 8) == 0)
        setting_mistake(settings, node, "there is no '%.*s'%s", (int)text.len, text.at,
            mistake_suggestion(settings->arena, text, builtins, COUNT(builtins)));
    else if (str_has(text, ' '))
        setting_mistake(settings, node,
            "another path at the service is said by an object: "
            "{\"pass\": \"upstream /path\"}");
    else
        read_pass(settings, node, plan);
}

static bool is_inherited(const struct defaults *defaults, const struct field_plan *field)
{
    for (unsigned i = 0; i < defaults->fields.count; i++)
        if (defaults->fields.list[i].value == field->value)
            return true;
    return false;
}

/* Two fields of one name would make browsers trust neither. What the defaults alone say is told
 * where they stand. */
static void check_cors_fields(
    struct settings *settings, const struct defaults *defaults, const struct route *route)
{
    for (unsigned i = 0; route->cors && i < route->fields.count; i++) {
        const struct field_plan *field = &route->fields.list[i];
        bool is_default = is_inherited(defaults, field);
        if (cors_plan_has_field(field) && !(is_default && route->cors == defaults->cors))
            mistake_add(settings->mistakes, route->at,
                "this route's 'cors' and %s'headers' both say '%s'",
                is_default ? "the defaults' " : "", field->name.at);
    }
}

/* The same for what nobody would trust without `cors`. */
static void check_credentials(struct settings *settings, uint32_t node,
    const struct defaults *defaults, const struct route *route)
{
    const struct field_plan *origin, *credentials;
    if (route->cors ||
        !cors_plan_is_refused(&route->fields, settings->arena, &origin, &credentials))
        return;
    if (!is_inherited(defaults, origin) || !is_inherited(defaults, credentials))
        setting_mistake(
            settings, json_member(&settings->json, node, STR("headers")), CORS_PLAN_REFUSED);
}

void plan_read(struct settings *settings, uint32_t node, struct config *config, struct route *route)
{
    struct plan plan = {
        .config = config,
        .route = route,
        .scope = { .pattern = route->line },
    };
    const char *reserved;
    for (unsigned i = 0; (reserved = reference_reserved(i)); i++)
        if (reference_is_parameter(route->line, str_of(reserved)))
            mistake_add(settings->mistakes, route->at,
                "'%s' means something else in references: name the path parameter otherwise",
                reserved);
    route->errors = config->errors;
    route->cors = config->defaults.cors;
    route->body_max = config->body_max;
    switch (settings->json.nodes[node].type) {
    case JSON_STRING:
        read_short_form(settings, node, &plan);
        break;
    case JSON_OBJECT:
        read_object(settings, node, &plan);
        break;
    default:
        setting_mistake(settings, node,
            "a route is the name of an upstream, \"builtin:health\", or an object with 'pass', "
            "'redirect' or 'reply'");
    }
    defaults_apply(&config->defaults, route, settings->arena);
    check_cors_fields(settings, &config->defaults, route);
    check_credentials(settings, node, &config->defaults, route);
    cache_plan_heed_fields(settings, node, &route->cache, &route->fields);
    cache_plan_settle(&route->cache, route->kind == ROUTE_COMPOSE);
    route->fingerprint = cache_plan_fingerprint(settings, node);
}
