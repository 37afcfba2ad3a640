/* field_text: header fields as one text, "Name: value\r\n" each, looked into and copied in part.
 *
 * That is the form in which lib/reply has them and in which replies are kept. Knows nothing of what
 * fields mean.
 */
#include "field_text.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct str trim(struct str text)
{
    while (text.len > 0 && is_space(*text.at)) {
        text.at++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.at[text.len - 1]))
        text.len--;
    return text;
}

bool field_text_next(struct str *rest, struct str *name, struct str *value)
{
    if (rest->len == 0)
        return false;
    struct str line = str_take(rest, '\n');
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    *name = str_take(&line, ':');
    *value = trim(line);
    return true;
}

struct str field_text_value(struct str fields, const char *name, struct arena *arena)
{
    struct str found = { NULL, 0 }, one, value;
    struct buf list = { 0 };
    while (field_text_next(&fields, &one, &value)) {
        if (!str_is_nocase(one, name))
            continue;
        if (!found.at) {
            found = value;
            continue;
        }
        if (!list.arena) {
            buf_init(&list, arena);
            buf_str(&list, found);
        }
        buf_add(&list, ", ", 2);
        buf_str(&list, value);
    }
    return list.arena ? buf_as_str(&list) : found;
}

bool field_text_member(struct str *list, struct str *member)
{
    while (list->len > 0) {
        size_t len = 0;
        for (bool is_quoted = false; len < list->len && (is_quoted || list->at[len] != ','); len++)
            if (list->at[len] == '"')
                is_quoted = !is_quoted;
            else if (list->at[len] == '\\' && is_quoted && len + 1 < list->len)
                len++;
        *member = trim((struct str){ list->at, len });
        size_t taken = len < list->len ? len + 1 : len;
        *list = (struct str){ list->at + taken, list->len - taken };
        if (member->len > 0)
            return true;
    }
    return false;
}

static bool is_one_of(struct str name, const char *const *names, size_t name_count)
{
    for (size_t i = 0; i < name_count; i++) {
        size_t len = strlen(names[i]);
        bool is_prefix = len > 0 && names[i][len - 1] == '*';
        if (is_prefix ? name.len >= len - 1 && strncasecmp(name.at, names[i], len - 1) == 0
                      : str_is_nocase(name, names[i]))
            return true;
    }
    return false;
}

void field_text_copy_without(
    struct buf *out, struct str fields, const char *const *names, size_t name_count)
{
    struct str name, value;
    while (field_text_next(&fields, &name, &value)) {
        if (is_one_of(name, names, name_count))
            continue;
        buf_str(out, name);
        buf_add(out, ": ", 2);
        buf_str(out, value);
        buf_add(out, "\r\n", 2);
    }
}
