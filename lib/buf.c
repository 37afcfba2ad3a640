/* buf: text that grows by doubling, and the escapes of JSON strings.
 *
 * Replies are written here piece by piece, so every addition is a bounds check and a copy.
 */
#include "buf.h"
#include "text.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN 256 /* bytes; a small reply takes one or two steps from here */

void buf_init(struct buf *buf, struct arena *arena)
{
    *buf = (struct buf){ .arena = arena };
}

static void grow(struct buf *buf, size_t more)
{
    size_t cap = buf->cap < CAP_MIN / 2 ? CAP_MIN : buf->cap * 2;

    if (more > SIZE_MAX / 4 - buf->len) {
        abort(); /* no such memory; the arena would say the same */
    }
    if (cap < buf->len + more) {
        cap = buf->len + more;
    }
    buf->data = arena_grow(buf->arena, buf->data, buf->cap, cap);
    buf->cap = cap;
}

char *buf_room(struct buf *buf, size_t more)
{
    if (more > buf->cap - buf->len) {
        grow(buf, more);
    }
    return buf->data ? buf->data + buf->len : NULL;
}

void buf_add(struct buf *buf, const char *bytes, size_t len)
{
    if (len > 0) {
        memcpy(buf_room(buf, len), bytes, len);
        buf->len += len;
    }
}

void buf_str(struct buf *buf, struct str text)
{
    buf_add(buf, text.at, text.len);
}

void buf_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_char(struct buf *buf, char c)
{
    *buf_room(buf, 1) = c;
    buf->len++;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    size_t room = 128; /* enough for most lines, so that most are formatted once */
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(buf_room(buf, room), room, format, arguments);
    va_end(arguments);
    if (len >= (int)room) {
        room = (size_t)len + 1;
        va_start(arguments, format);
        len = vsnprintf(buf_room(buf, room), room, format, arguments);
        va_end(arguments);
    }
    if (len > 0) {
        buf->len += (size_t)len;
    }
}

void buf_int(struct buf *buf, long long number)
{
    char digits[24]; /* of 64 bits: 19 and a sign */
    char *at = digits + sizeof digits;
    unsigned long long rest = (unsigned long long)number;

    if (number < 0) {
        rest = 0 - rest; /* as unsigned: the smallest number has no positive counterpart */
    }
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *--at = '-';
    }
    buf_add(buf, at, (size_t)(digits + sizeof digits - at));
}

struct str buf_as_str(const struct buf *buf)
{
    return (struct str){ buf->data, buf->len };
}

const char *buf_as_text(struct buf *buf)
{
    *buf_room(buf, 1) = '\0';
    return buf->data;
}

/* May this byte stand in a JSON string as it is, without a look at its neighbours? */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The characters that RFC 8259 section 7 wants escaped. */
static void add_escape(struct buf *buf, unsigned char c)
{
    static const char *const short_forms[] = {
        ['\b'] = "\\b",
        ['\t'] = "\\t",
        ['\n'] = "\\n",
        ['\f'] = "\\f",
        ['\r'] = "\\r",
        ['"'] = "\\\"",
        ['\\'] = "\\\\",
    };
    static const char hex[] = "0123456789abcdef";

    if (short_forms[c]) {
        buf_add(buf, short_forms[c], 2);
    } else {
        char escape[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
        buf_add(buf, escape, sizeof escape);
    }
}

/* The one character at text.at that is not plain; returns how many bytes it takes. */
static size_t add_special(struct buf *buf, struct str text)
{
    unsigned code_point;
    size_t len = text_char(text, &code_point);

    if (len == 0) {
        buf_text(buf, "\xEF\xBF\xBD"); /* U+FFFD */
        return 1;
    }
    if (len > 1) {
        buf_add(buf, text.at, len);
    } else {
        add_escape(buf, (unsigned char)code_point);
    }
    return len;
}

void buf_json_string(struct buf *buf, struct str text)
{
    size_t at = 0;

    buf_room(buf, text.len + 2);
    buf_char(buf, '"');
    while (at < text.len) {
        size_t run = at;

        while (run < text.len && is_plain((unsigned char)text.at[run])) {
            run++;
        }
        buf_add(buf, text.at + at, run - at);
        at = run;
        if (at < text.len) {
            at += add_special(buf, (struct str){ text.at + at, text.len - at });
        }
    }
    buf_char(buf, '"');
}
