/* head: the header section of an upstream's reply, line by line.
 *
 * What would be dangerous to pass on, because the next one in the chain may understand it
 * otherwise, makes the reply a broken one.
 */
#include "head.h"
#include <ctype.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What stands before the line end. A CR that is not part of it stays, for others to refuse. */
static struct str without_end(struct str line)
{
    if (line.len && line.at[line.len - 1] == '\n')
        line.len--;
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* Neither is part of a line (RFC 9110 section 5.5), and either ends one for somebody. */
static bool is_one_line(struct str text)
{
    return !str_has(text, 0) && !str_has(text, '\r');
}

bool head_status(struct str line, int *status, int *minor)
{
    enum { MINOR = 7, STATUS = 9, LEN = 12 }; /* where they stand in "HTTP/1.1 200" */
    struct str text = without_end(line);
    const char *at = text.at;
    if (text.len < LEN || memcmp(at, "HTTP/1.", MINOR) != 0 || !is_digit(at[MINOR]) ||
        at[MINOR + 1] != ' ' || !is_digit(at[STATUS]) || !is_digit(at[STATUS + 1]) ||
        !is_digit(at[STATUS + 2]) || (text.len > LEN && at[LEN] != ' ') || !is_one_line(text))
        return false;
    *minor = at[MINOR] - '0';
    *status = (at[STATUS] - '0') * 100 + (at[STATUS + 1] - '0') * 10 + (at[STATUS + 2] - '0');
    return *status >= 100;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct str trim(struct str text)
{
    while (text.len && is_blank(*text.at))
        text = (struct str){ text.at + 1, text.len - 1 };
    while (text.len && is_blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

static void add_field(struct call *call, struct str name, struct str value)
{
    struct call_field *field = arena_alloc(call->arena, sizeof *field);
    field->name = (struct str){ arena_copy(call->arena, name.at, name.len), name.len };
    field->value = (struct str){ arena_copy(call->arena, value.at, value.len), value.len };
    field->next = NULL;
    if (call->last_field)
        call->last_field->next = field;
    else
        call->first_field = field;
    call->last_field = field;
}

/* A token (RFC 9110 section 5.6.2). "Content-Length :" is a length for one and nothing for the
 * next, and a line that begins with a blank goes on with the one before it (RFC 9112
 * sections 5.1, 5.2). */
static bool is_name(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isalnum((unsigned char)text.at[i]) &&
            (!text.at[i] || !strchr("-_!#$%&'*+.^`|~", text.at[i])))
            return false;
    return text.len > 0;
}

static bool is_number(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_digit(text.at[i]))
            return false;
    return text.len > 0;
}

/* Lengths that differ, or a list of them: nobody can tell where the body ends (RFC 9112 section
 * 6.3). */
static bool has_bad_length(const struct call *call)
{
    struct str length = call_field(call, "Content-Length");
    for (const struct call_field *field = call->first_field; field; field = field->next)
        if (str_is_nocase(field->name, "Content-Length") &&
            (!str_eq(field->value, length) || !is_number(length)))
            return true;
    return false;
}

enum head_result head_line(struct call *call, struct str line)
{
    struct str text = without_end(line), value = text, name = str_take(&value, ':');
    if (text.len == 0)
        return has_bad_length(call) ? HEAD_BAD : HEAD_END;
    if (name.len == text.len || !is_name(name) || !is_one_line(value))
        return HEAD_BAD;
    add_field(call, name, trim(value));
    return HEAD_MORE;
}

struct str call_field(const struct call *call, const char *name)
{
    for (const struct call_field *field = call->first_field; field; field = field->next)
        if (str_is_nocase(field->name, name))
            return field->value;
    return (struct str){ NULL, 0 };
}

bool head_is_named(struct str name, struct str list)
{
    while (list.len > 0) {
        struct str one = trim(str_take(&list, ','));
        if (str_eq_nocase(one, name))
            return true;
    }
    return false;
}

bool head_is_connection_option(const struct call *call, struct str name)
{
    for (const struct call_field *field = call->first_field; field; field = field->next)
        if (str_is_nocase(field->name, "Connection") && head_is_named(name, field->value))
            return true;
    return false;
}
