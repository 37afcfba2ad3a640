/* target_plan: where a request goes on to: a service and perhaps another path there, or the place
 * that a redirect names.
 */
#include "target_plan.h"
#include <ctype.h>
#include "host.h"

struct str target_plan_read_pass(struct settings *settings, uint32_t node,
    const struct config *config, struct reference_scope *scope, struct route *route)
{
    struct str path, query;
    if (!setting_template_text(settings, node, &path))
        return (struct str){ NULL, 0 };
    query = path;
    str_take(&query, '?');
    bool has_path = str_has(path, ' ');
    struct str upstream = str_take(&path, ' ');
    route->upstream = call_plan_upstream(settings, node, config, upstream);
    if (!has_path)
        return query;
    if (path.len == 0 || *path.at != '/' || str_has(path, ' ')) {
        setting_mistake(settings, node, "write \"upstream\" or \"upstream /path\" here");
        return query;
    }
    setting_target(settings, node, path);
    route->target = template_text_new(settings, node, path, scope);
    return query;
}

/* Takes "https://host:port" off the front. NULL, or what is wrong with it. */
static const char *take_origin(struct str *text, struct arena *arena)
{
    static const char shape[] = "a redirect goes to \"/path\" or \"https://host/path\", with "
                                "references behind the host only";
    static const char *const schemes[] = { "http://", "https://" };
    size_t start = 0, end;
    for (size_t i = 0; i < 2; i++)
        if (text->len > strlen(schemes[i]) && !memcmp(text->at, schemes[i], strlen(schemes[i])))
            start = strlen(schemes[i]);
    if (start == 0)
        return shape;
    for (end = start; end < text->len && text->at[end] != '/' && text->at[end] != '?'; end++)
        if (!isalnum((unsigned char)text->at[end]) && !strchr(".-_:[]", text->at[end]))
            return shape;
    struct str host, port;
    bool has_port = host_split((struct str){ text->at + start, end - start }, &host, &port);
    if (!host_is_good(host))
        return shape;
    struct buf wrong;
    buf_init(&wrong, arena);
    buf_printf(&wrong, "'%.*s': " HOST_WRONG_PORT, (int)end, text->at);
    *text = (struct str){ text->at + end, text->len - end };
    return has_port && !host_is_port(port) ? buf_as_text(&wrong) : NULL;
}

/* A place may have a fragment, which is for the client alone (RFC 9110 section 10.2.2). What may
 * stand there is what may stand in a query (RFC 3986 section 3.5). */
static void read_fragment(struct settings *settings, uint32_t node, struct str text,
    struct reference_scope *scope, struct route *route)
{
    setting_target(settings, node, text);
    route->fragment = template_text_new(settings, node, text, scope);
}

void target_plan_read_redirect(
    struct settings *settings, uint32_t node, struct reference_scope *scope, struct route *route)
{
    struct str fragment;
    if (!setting_template_text(settings, node, &fragment))
        return;
    bool has_fragment = str_has(fragment, '#');
    struct str text = str_take(&fragment, '#'), path = text;
    /* "//host" would be another host (RFC 3986 section 4.2). */
    bool is_path = text.len > 0 && *text.at == '/' && (text.len == 1 || text.at[1] != '/');
    const char *wrong = is_path ? NULL : take_origin(&path, settings->arena);
    if (wrong) {
        setting_mistake(settings, node, "%s", wrong);
        return;
    }
    setting_target(settings, node, path);
    route->target = template_text_new(settings, node, text, scope);
    route->keeps_query = !str_has(text, '?');
    if (has_fragment)
        read_fragment(settings, node, fragment, scope, route);
}
