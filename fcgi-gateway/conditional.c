/* conditional: asks a service whether a reply that is kept is still the same (RFC 9111 4.3).
 *
 * Its conditions take the place of the client's, and what it answers to them is held against what
 * is kept.
 */
#include "conditional.h"
#include <string.h>
#include "field_text.h"

static bool begins_with(const char *variable, const char *name)
{
    return strncmp(variable, name, strlen(name)) == 0;
}

static char *condition(
    const struct stored *old, const char *variable, const char *field, struct arena *arena)
{
    struct buf text;
    struct str value = field_text_value(old->fields, field, arena);
    if (!value.at)
        return NULL;
    buf_init(&text, arena);
    buf_text(&text, variable);
    buf_str(&text, value);
    return (char *)buf_as_text(&text);
}

char **conditional_variables(const struct request *request, const struct stored *old)
{
    struct arena *arena = request->arena;
    char **from = request->variables, **variables, **to;
    size_t count = 0;
    while (from[count])
        count++;
    to = variables = arena_alloc(arena, (count + 3) * sizeof *to);
    for (; *from; from++)
        if (!begins_with(*from, "HTTP_IF_NONE_MATCH=") &&
            !begins_with(*from, "HTTP_IF_MODIFIED_SINCE="))
            *to++ = *from;
    char *etag = old ? condition(old, "HTTP_IF_NONE_MATCH=", "ETag", arena) : NULL;
    char *date = old ? condition(old, "HTTP_IF_MODIFIED_SINCE=", "Last-Modified", arena) : NULL;
    if (etag)
        *to++ = etag;
    if (date)
        *to++ = date;
    *to = NULL;
    return variables;
}

static struct str without_weak(struct str etag)
{
    bool is_weak = etag.len > 2 && etag.at[0] == 'W' && etag.at[1] == '/';
    return is_weak ? (struct str){ etag.at + 2, etag.len - 2 } : etag;
}

bool conditional_is_about(const struct stored *old, struct str fields, struct arena *arena)
{
    struct str etag = field_text_value(fields, "ETag", arena);
    struct str modified = field_text_value(fields, "Last-Modified", arena);
    if (etag.at)
        return str_eq(
            without_weak(etag), without_weak(field_text_value(old->fields, "ETag", arena)));
    return !modified.at || str_eq(modified, field_text_value(old->fields, "Last-Modified", arena));
}
