/* call_plan: one call of a composed route, as the file says it: short as a string, or as an object.
 */
#include "call_plan.h"
#include "config.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What reading a call's members needs. */
struct reading {
    const struct config *config;
    struct reference_scope *scope;
    struct call_plan *call;
};

const struct upstream *call_plan_upstream(
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
        config->upstream_count
            ? mistake_suggestion(settings->arena, name, known, config->upstream_count)
            : " (the file has no 'upstreams')");
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

/* The static name of a method, or NULL. */
static const char *find_method(struct str word)
{
    static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
    for (unsigned i = 0; i < COUNT(methods); i++)
        if (str_is(word, methods[i]))
            return methods[i];
    return NULL;
}

/* "users GET /users/{id}" */
static void read_line(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    struct call_plan *call = reading->call;
    struct str text;
    if (!setting_template_text(settings, node, &text))
        return;
    struct str upstream = next_word(&text), method = next_word(&text), path = next_word(&text);
    struct str more = next_word(&text);
    call->method = find_method(method);
    bool is_turned = !call->method && find_method(upstream); /* "GET users /path" */
    if (path.len == 0 || *path.at != '/' || more.len || is_turned) {
        setting_mistake(settings, node, "a call is \"upstream GET /path\"");
        return;
    }
    setting_target(settings, node, path);
    if (!call->method)
        setting_mistake(settings, node,
            "a call's method is GET, POST, PUT, PATCH or DELETE, not '%.*s'", (int)method.len,
            method.at);
    call->upstream = call_plan_upstream(settings, node, reading->config, upstream);
    call->target = template_text_new(settings, node, path, reading->scope);
}

static void read_headers(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    field_plans_read(settings, node, reading->scope, &reading->call->fields);
}

static void read_body(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    reading->call->body = template_new(settings, node, reading->scope);
}

static void read_when(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    reading->call->when = template_only_reference(settings, node, reading->scope);
}

static void read_timeout(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    setting_duration(settings, node, &reading->call->timeout_ms);
}

static void read_else(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    uint32_t used = reading->scope->used;
    reading->scope->used = 0;
    reading->call->otherwise = template_new(settings, node, reading->scope);
    reading->call->otherwise_after = reading->scope->used;
    reading->scope->used |= used;
}

/* Only bodies have arrays: parameters, query, fields, errors and statuses never do. */
static bool may_be_array(const struct reference *reference)
{
    return !reference->is_int &&
           (reference->root == REFERENCE_BODY || reference->root == REFERENCE_CALL);
}

static void read_each(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    unsigned mistakes = settings->mistakes->count;
    reading->scope->has_each = false; /* it is no element of itself */
    const struct reference *array = template_only_reference(settings, node, reading->scope);
    reading->scope->has_each = true;
    if (settings->mistakes->count == mistakes && !may_be_array(array))
        setting_mistake(
            settings, node, "'each' goes over an array of the body or of another call's reply");
    reading->call->each = array;
}

static void read_max(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    setting_int(settings, node, 1, EACH_AT_ONCE_MAX, &reading->call->at_once);
}

static void read_result(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    reading->scope->has_reply = true;
    reading->call->result = template_new(settings, node, reading->scope);
    reading->scope->has_reply = false;
}

/* What only means something together with `each`. */
static void check_each(struct settings *settings, uint32_t node)
{
    static const char *const of_each[] = { "max", "result" };
    if (json_member(&settings->json, node, STR("each")) != JSON_NONE)
        return;
    for (unsigned i = 0; i < COUNT(of_each); i++) {
        uint32_t value = json_member(&settings->json, node, str_of(of_each[i]));
        if (value != JSON_NONE) /* the name stands in front of its value */
            setting_mistake(
                settings, value - 1, "'%s' only goes with 'each', which is missing", of_each[i]);
    }
}

/* In this order: what follows `each` may refer to the element. */
static void read_object(struct settings *settings, uint32_t node, struct reading *reading)
{
    static const struct setting known[] = {
        { "each", false, read_each },
        { "call", true, read_line },
        { "headers", false, read_headers },
        { "body", false, read_body },
        { "when", false, read_when },
        { "timeout", false, read_timeout },
        { "else", false, read_else },
        { "max", false, read_max },
        { "result", false, read_result },
    };
    struct call_plan *call = reading->call;
    call->at_once = EACH_AT_ONCE;
    setting_object(settings, node, known, COUNT(known), reading);
    check_each(settings, node);
    if (call->body && call->method && strcmp(call->method, "GET") == 0)
        setting_mistake(settings, node, "a GET has no body: write POST, PUT or PATCH");
}

void call_plan_read(struct settings *settings, uint32_t node, const struct config *config,
    struct reference_scope *scope, struct call_plan *call)
{
    struct reading reading = { config, scope, call };
    scope->used = 0;
    if (settings->json.nodes[node].type == JSON_OBJECT)
        read_object(settings, node, &reading);
    else
        read_line(settings, node, &reading);
    scope->has_each = false;
    call->after = scope->used;
}
