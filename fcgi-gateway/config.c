/* config: the configuration file as structs.
 *
 * Says which keys there are, and what each of them means. All mistakes are found in one pass; a
 * file with one is not used at all. `--check` and a start run this same code.
 */
#include "config.h"
#include "duplicate.h"
#include "file_text.h"
#include "guard_plan.h"
#include "lib/buf.h"
#include "openapi.h"
#include "plan.h"
#include "schema_links.h"
#include "upstream_plan.h"

/* A request has a thread, which holds five descriptors and some 70 KiB while it waits. */
#define CONCURRENT_MAX 10000

/* For kept replies, where the file says nothing: thousands of usual ones. */
#define CACHE_BYTES (16 * 1024 * 1024)

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* It stands in the Via field, so it is a token (RFC 9110 section 7.6.3). */
static void read_name(struct settings *settings, uint32_t node, void *target)
{
    struct str text;
    if (!setting_text(settings, node, &text))
        return;
    if (!field_plan_is_token(text))
        setting_mistake(settings, node,
            "the gateway's name is letters, digits, '-', '.' and '_', "
            "without a space");
    ((struct config *)target)->name = text;
}

static void read_description(struct settings *settings, uint32_t node, void *target)
{
    setting_text(settings, node, &((struct config *)target)->description);
}

static void read_version(struct settings *settings, uint32_t node, void *target)
{
    setting_name(settings, node, &((struct config *)target)->version);
}

/* --- errors --- */

static void read_errors(struct settings *settings, uint32_t node, void *target)
{
    error_plan_read(settings, node, &((struct config *)target)->errors);
}

/* Editors want to know by which schema a file is written (docs/gateway.schema.json); nobody else.
 */
static void read_schema(struct settings *settings, uint32_t node, void *target)
{
    struct str text;
    (void)target;
    setting_text(settings, node, &text);
}

/* --- limits, defaults --- */

static void read_body_max(struct settings *settings, uint32_t node, void *target)
{
    setting_size(settings, node, &((struct config *)target)->body_max);
}

static void read_concurrent(struct settings *settings, uint32_t node, void *target)
{
    setting_int(settings, node, 1, CONCURRENT_MAX, &((struct config *)target)->concurrent_max);
}

static void read_cache_bytes(struct settings *settings, uint32_t node, void *target)
{
    setting_size(settings, node, &((struct config *)target)->cache_bytes);
}

static void read_limits(struct settings *settings, uint32_t node, void *target)
{
    static const struct setting known[] = {
        { "body", false, read_body_max },
        { "concurrent", false, read_concurrent },
        { "cache", false, read_cache_bytes },
    };
    setting_object(settings, node, known, COUNT(known), target);
}

static void read_defaults(struct settings *settings, uint32_t node, void *target)
{
    defaults_read(settings, node, &((struct config *)target)->defaults);
}

/* --- routes --- */

static void read_route(struct settings *settings, uint32_t name, uint32_t value, void *target)
{
    struct config *config = target;
    struct route *route = &config->routes[config->route_count++];
    route->line = json_string(&settings->json, name, settings->arena);
    route->at = settings->json.nodes[name].start;
    const char *error;
    void *other;
    switch (router_add(config->router, route->line, route, &error, &other)) {
    case ROUTE_ADDED:
        break;
    case ROUTE_SYNTAX:
        setting_mistake(settings, name, "%s", error);
        break;
    case ROUTE_OVERLAP: {
        struct route *earlier = other;
        unsigned line = mistake_line(settings->mistakes, earlier->at);
        setting_mistake(settings, name, "this matches the same requests as '%.*s' in line %u",
            (int)earlier->line.len, earlier->line.at, line);
    }
    }
    plan_read(settings, value, config, route);
}

/* Upstreams must be known first, wherever they stand in the file: see config_read. */
static void read_routes(struct settings *settings, uint32_t node, void *target)
{
    struct config *config = target;
    config->router = router_new(settings->arena);
    size_t count = settings->json.nodes[node].count;
    config->routes = arena_zero(settings->arena, count * sizeof *config->routes);
    setting_each(settings, node, read_route, config);
}

static bool route_uses(const struct route *route, const struct upstream *upstream)
{
    for (unsigned i = 0; i < route->call_count; i++)
        if (route->calls[i].upstream == upstream)
            return true;
    return route->upstream == upstream;
}

/* A service that is only asked for its health is probably one that a route was to use. */
static void warn_of_unused(struct settings *settings, const struct config *config)
{
    uint32_t node = json_member(&settings->json, 0, STR("upstreams"));
    for (unsigned i = 0; i < config->upstream_count; i++) {
        const struct upstream *upstream = &config->upstreams[i];
        bool is_used = false;
        for (unsigned j = 0; j < config->route_count && !is_used; j++)
            is_used = route_uses(&config->routes[j], upstream);
        uint32_t value = json_member(&settings->json, node, upstream->name);
        if (!is_used)
            mistake_warn(settings->mistakes, settings->json.nodes[value - 1].start,
                "no route uses the upstream '%.*s'", (int)upstream->name.len, upstream->name.at);
    }
}

static void skip(struct settings *settings, uint32_t node, void *target)
{
    (void)settings, (void)node, (void)target;
}

static void read_all(struct settings *settings, struct config *config)
{
    static const struct setting known[] = {
        { "$schema", false, read_schema },
        { "name", false, read_name },
        { "description", false, read_description },
        { "version", false, read_version },
        { "upstreams", false, upstream_plans_read },
        { "errors", false, read_errors },
        { "limits", false, read_limits },
        { "defaults", false, read_defaults },
        { "routes", true, skip },
    };
    if (!setting_object(settings, 0, known, COUNT(known), config))
        return;
    for (unsigned i = 0; i < config->upstream_count; i++)
        guard_plan_settle(&config->upstreams[i], config->concurrent_max);
    uint32_t routes = json_member(&settings->json, 0, STR("routes"));
    if (routes != JSON_NONE)
        read_routes(settings, routes, config);
    if (!mistakes_are_there(settings->mistakes))
        warn_of_unused(settings, config); /* what is misspelled would look unused */
}

/* Last, when it is known that all of it is good. */
static void describe(struct settings *settings, struct config *config)
{
    for (unsigned i = 0; i < config->route_count; i++)
        if (config->routes[i].kind == ROUTE_OPENAPI) {
            config->openapi = openapi_new(config);
            schema_links_check(settings, config);
            return;
        }
}

/* How a file is read. */
enum {
    IS_KNOWN = 1,   /* it was read before, in the same environment */
    IS_PATIENT = 2, /* who writes to it is waited for */
};

static struct config *read_config(const char *file, struct arena *arena, FILE *out, unsigned how)
{
    const char *why;
    struct str text = file_text_read(file, how & IS_PATIENT, arena, &why);
    if (!text.at) {
        fprintf(out, "%s: cannot be read: %s\n", file, why);
        return NULL;
    }
    struct mistakes mistakes;
    mistakes_init(&mistakes, arena, file, text);
    struct config *config = arena_zero(arena, sizeof *config);
    *config = (struct config){
        .arena = arena,
        .text = text,
        .jq = jq_plan_new(arena),
        .name = STR("gateway"),
        .version = STR("1.0.0"),
        .errors = ERROR_PLAN_DEFAULT,
        .body_max = 1024 * 1024,
        .concurrent_max = 1024,
        .cache_bytes = CACHE_BYTES,
    };
    struct settings settings = { .arena = arena, .mistakes = &mistakes };
    struct json_error error;
    if (json_read(&settings.json, text, arena, &error)) {
        config->json = settings.json;
        settings.is_duplicate = duplicates_find(&settings.json, arena, &mistakes);
        read_all(&settings, config);
        if (!(how & IS_KNOWN))
            jq_plan_check(config->jq, &settings);
    } else
        mistake_add(&mistakes, error.at, "%s", error.what);
    if (!mistakes_are_there(&mistakes))
        describe(&settings, config);
    mistakes_print(&mistakes, out);
    return mistakes_are_there(&mistakes) ? NULL : config;
}

struct config *config_read(const char *file, struct arena *arena, FILE *out)
{
    return read_config(file, arena, out, 0);
}

struct config *config_read_again(const char *file, struct arena *arena, FILE *out)
{
    return read_config(file, arena, out, IS_KNOWN);
}

struct config *config_read_patiently(const char *file, struct arena *arena, FILE *out)
{
    return read_config(file, arena, out, IS_PATIENT);
}
