/* listing: all routes of a configuration as a table, for `--routes`.
 *
 * What a person wants to see at a glance; explain.c says everything about one route.
 */
#include "listing.h"
#include "columns.h"
#include "lib/buf.h"
#include "quantity.h"

static const char *kind_of(const struct route *route)
{
    switch (route->kind) {
    case ROUTE_PASS:
        return "pass";
    case ROUTE_REDIRECT:
        return "redirect";
    case ROUTE_COMPOSE:
        return route->call_count ? "compose" : "static";
    case ROUTE_HEALTH:
        return "health";
    case ROUTE_OPENAPI:
        return "openapi";
    }
    return "";
}

/* "users", or for calls "user=users orders=orders" */
static const char *services_of(
    const struct config *config, const struct route *route, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena);
    if (route->kind == ROUTE_PASS)
        buf_str(&text, route->upstream->name);
    for (unsigned i = 0; i < route->call_count; i++) {
        struct str call = route->calls[i].name, upstream = route->calls[i].upstream->name;
        buf_printf(&text, "%s%.*s=%.*s", i ? " " : "", (int)call.len, call.at, (int)upstream.len,
            upstream.at);
    }
    for (unsigned i = 0; route->kind == ROUTE_HEALTH && i < config->upstream_count; i++) {
        struct str name = config->upstreams[i].name;
        buf_printf(&text, "%s%.*s", i ? " " : "", (int)name.len, name.at);
    }
    return buf_as_text(&text);
}

static const char *timeout_of(const struct route *route, struct arena *arena)
{
    bool has_deadline = route->call_count || route->jq;
    if (route->timeout_ms && (route->kind == ROUTE_PASS || has_deadline))
        return quantity_duration(arena, route->timeout_ms);
    if (route->kind == ROUTE_PASS)
        return quantity_duration(arena, route->upstream->timeout_ms);
    if (has_deadline)
        return quantity_duration(arena, ROUTE_TIMEOUT_MS);
    return "";
}

/* Lines that end between two places: counted from route to route, as files may be long. */
static unsigned lines_between(struct str text, size_t from, size_t to)
{
    unsigned lines = 0;
    for (size_t i = from; i < to; i++)
        lines += text.at[i] == '\n';
    return lines;
}

static void add_route(
    struct columns *table, const struct config *config, const struct route *route, unsigned line)
{
    struct arena *arena = table->arena;
    struct str path = route->line, methods = str_take(&path, ' ');
    struct buf number;
    buf_init(&number, arena);
    buf_int(&number, line);
    columns_add(table,
        (const char *[]){ arena_copy(arena, methods.at, methods.len),
            arena_copy(arena, path.at, path.len), kind_of(route), services_of(config, route, arena),
            timeout_of(route, arena), buf_as_text(&number) });
}

void listing_print(const struct config *config, struct arena *arena, FILE *out)
{
    static const char *const heads[] = { "METHODS", "PATH", "KIND", "CALLS", "TIMEOUT", "LINE" };
    struct columns table;
    unsigned line = 1;
    size_t at = 0;
    columns_init(&table, arena, sizeof heads / sizeof *heads);
    columns_add(&table, heads);
    for (unsigned i = 0; i < config->route_count; i++) {
        const struct route *route = &config->routes[i];
        line += lines_between(config->json.text, at, route->at);
        at = route->at;
        add_route(&table, config, route, line);
    }
    columns_print(&table, 0, out);
}
