/* admin: what only the one who runs the gateway may ask of it.
 *
 * Who that is, the web server decides: it says GATEWAY_ADMIN=1 for what comes over a socket that
 * nobody else can reach (lighttpd/gateway.conf). No client can say so: its header fields come as
 * HTTP_....
 */
#include "admin.h"
#include "cache.h"
#include "lib/uri.h"

static int tell_cache(struct request *request, struct reply *reply, const struct config *config)
{
    struct cache_figures figures = cache_figures(config->cache);
    struct buf body;
    buf_init(&body, request->arena);
    buf_printf(&body, "{\"replies\":%zu,\"bytes\":%zu,\"bytes_max\":%zu,\"evicted\":%llu}",
        figures.replies, figures.bytes, figures.bytes_max, figures.evicted);
    return reply_json(reply, 200, buf_as_str(&body));
}

static int purge(
    struct request *request, struct reply *reply, const struct config *config, struct str path)
{
    struct buf body;
    buf_init(&body, request->arena);
    struct str pattern = uri_one_spelling(path, request->arena);
    buf_printf(&body, "{\"purged\":%zu}", cache_purge(config->cache, pattern));
    return reply_json(reply, 200, buf_as_str(&body));
}

static int answer(struct request *request, struct reply *reply, const struct config *config)
{
    static const char cache[] = "/cache";
    struct str path = request->path;
    size_t len = sizeof cache - 1;
    bool is_cache = config->cache && path.len >= len && memcmp(path.at, cache, len) == 0;
    struct str rest = is_cache ? (struct str){ path.at + len, path.len - len } : path;
    if (is_cache && rest.len == 0 && strcmp(request->method, "GET") == 0)
        return tell_cache(request, reply, config);
    if (is_cache && rest.len > 0 && *rest.at == '/' && strcmp(request->method, "DELETE") == 0)
        return purge(request, reply, config, rest);
    return reply_error(reply, 404, "Not found", "Try GET /cache or DELETE /cache/PATH");
}

bool admin_answers(
    struct request *request, struct reply *reply, const struct config *config, int *status)
{
    const char *is_admin = request_variable(request, "GATEWAY_ADMIN");
    if (!is_admin || strcmp(is_admin, "1") != 0)
        return false;
    *status = answer(request, reply, config);
    return true;
}
