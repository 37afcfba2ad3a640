/* record: the bytes that FastCGI is made of (FastCGI 1.0, sections 3.3 and 3.4). */
#include "record.h"

#include <string.h>

#define VERSION 1
#define ROLE_RESPONDER 1

static unsigned number_at(const char *bytes)
{
    return (unsigned)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1];
}

bool record_read(struct record *record, const char *head)
{
    *record = (struct record){ .type = (unsigned char)head[1],
        .id = number_at(head + 2),
        .content = number_at(head + 4),
        .padding = (unsigned char)head[6] };
    return head[0] == VERSION;
}

char *record_put_head(char *to, enum record_type type, unsigned id, size_t content)
{
    const char head[RECORD_HEAD_SIZE] = { VERSION, (char)type, (char)(id >> 8), (char)id,
        (char)(content >> 8), (char)content };
    memcpy(to, head, sizeof head);
    return to + sizeof head;
}

char *record_put_end(char *to, unsigned id, enum record_status status)
{
    const char content[RECORD_BODY_SIZE] = { [4] = (char)status };
    to = record_put_head(to, RECORD_END, id, sizeof content);
    memcpy(to, content, sizeof content);
    return to + sizeof content;
}

bool record_is_responder(const char *content)
{
    return number_at(content) == ROLE_RESPONDER;
}

/* A length is one byte, or four with the highest bit set. NULL where the bytes end before it does.
 */
static char *read_length(char *at, const char *end, size_t *length)
{
    if (at == end)
        return NULL;
    *length = (unsigned char)*at;
    if (*length < 0x80)
        return at + 1;
    if (end - at < 4)
        return NULL;
    *length = (size_t)(number_at(at) & 0x7fff) << 16 | number_at(at + 2);
    return at + 4;
}

/* There are two bytes at least in front of each name, the lengths; the name moves down over one of
 * them and makes room for '='. A value's end is the next one's length, which has been read when it
 * is overwritten. */
bool record_variables(
    char *bytes, size_t len, bool (*take)(void *context, char *variable), void *context)
{
    char *end = bytes + len, *at = bytes;
    while (at < end) {
        char *value_end = at;
        size_t name_len, value_len;
        if (!(at = read_length(at, end, &name_len)) || !(at = read_length(at, end, &value_len)) ||
            name_len > (size_t)(end - at) || value_len > (size_t)(end - at) - name_len)
            return false;
        *value_end = 0;
        char *name = at - 1;
        memmove(name, at, name_len);
        name[name_len] = '=';
        if (!take(context, name))
            return false;
        at += name_len + value_len;
    }
    *end = 0;
    return true;
}
