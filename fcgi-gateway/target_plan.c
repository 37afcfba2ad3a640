/* target_plan: where a request goes on to: a service and perhaps another path there, or the place
 * that a redirect names.
 */
#include "target_plan.h"
#include <ctype.h>

void target_plan_read_pass(struct settings *settings, uint32_t node, const struct config *config,
    struct reference_scope *scope, struct route *route)
{
    struct str path;
    if (!setting_template_text(settings, node, &path))
        return;
    bool has_path = str_has(path, ' ');
    struct str upstream = str_take(&path, ' ');
    route->upstream = call_plan_upstream(settings, node, config, upstream);
    if (!has_path)
        return;
    if (path.len == 0 || *path.at != '/' || str_has(path, ' ')) {
        setting_mistake(settings, node, "write \"upstream\" or \"upstream /path\" here");
        return;
    }
    setting_target(settings, node, path);
    route->target = template_text_new(settings, node, path, scope);
}

/* Takes "https://host:port" off the front. False where it is something else. */
static bool take_origin(struct str *text)
{
    static const char *const schemes[] = { "http://", "https://" };
    size_t len = 0;
    for (size_t i = 0; i < 2; i++)
        if (text->len > strlen(schemes[i]) && !memcmp(text->at, schemes[i], strlen(schemes[i])))
            len = strlen(schemes[i]);
    size_t start = len;
    while (len && len < text->len && text->at[len] != '/' && text->at[len] != '?') {
        if (!isalnum((unsigned char)text->at[len]) && !strchr(".-:[]", text->at[len]))
            return false;
        len++;
    }
    *text = (struct str){ text->at + len, text->len - len };
    return len > start;
}

void target_plan_read_redirect(
    struct settings *settings, uint32_t node, struct reference_scope *scope, struct route *route)
{
    struct str text;
    if (!setting_template_text(settings, node, &text))
        return;
    struct str path = text;
    /* "//host" would be another host (RFC 3986 section 4.2). */
    bool is_path = text.len > 0 && *text.at == '/' && (text.len == 1 || text.at[1] != '/');
    if (!is_path && !take_origin(&path)) {
        setting_mistake(settings, node,
            "a redirect goes to \"/path\" or \"https://host/path\", with references behind the "
            "host "
            "only");
        return;
    }
    setting_target(settings, node, path);
    route->target = template_text_new(settings, node, text, scope);
    route->keeps_query = !str_has(text, '?');
}
