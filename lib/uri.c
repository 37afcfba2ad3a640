/* uri: percent-encoding and query parameters (RFC 3986).
 *
 * What comes out of a decoding is text: no NUL that would cut it short in C, and valid UTF-8, so
 * that it may stand in JSON and in SQL without another look.
 */
#include "uri.h"
#include "text.h"

/* Decodes `text` into `to`, which has room for text.len bytes. Returns how many were written, or -1
 * where a '%' is not followed by two hex digits. */
static ptrdiff_t decode_into(char *to, struct str text, bool plus_is_space)
{
    char *end = to;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (c == '%') {
            int high = text.len - i > 2 ? text_hex(text.at[i + 1]) : -1;
            int low = high >= 0 ? text_hex(text.at[i + 2]) : -1;

            if (low < 0) {
                return -1;
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        *end++ = c;
    }
    return end - to;
}

static bool decode(struct str text, bool plus_is_space, struct arena *arena, struct str *out)
{
    *out = text;
    if (str_has(text, '%') || (plus_is_space && str_has(text, '+'))) {
        char *bytes = arena_alloc(arena, text.len);
        ptrdiff_t len = decode_into(bytes, text, plus_is_space);

        if (len < 0) {
            return false;
        }
        *out = (struct str){ bytes, (size_t)len };
    }
    return !str_has(*out, '\0') && text_is_utf8(*out);
}

bool uri_decode(struct str text, struct arena *arena, struct str *out)
{
    return decode(text, false, arena, out);
}

bool uri_decode_parameter(struct str text, struct arena *arena, struct str *out)
{
    return decode(text, true, arena, out);
}

/* RFC 3986 section 2.3 */
static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void add_encoded(struct buf *out, char c)
{
    static const char hex[] = "0123456789ABCDEF"; /* section 2.1 recommends upper case */
    unsigned char byte = (unsigned char)c;
    char *to = buf_room(out, 3);

    to[0] = '%';
    to[1] = hex[byte >> 4];
    to[2] = hex[byte & 15];
    out->len += 3;
}

void uri_encode(struct buf *out, struct str text)
{
    buf_room(out, text.len * 3);
    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved(text.at[i])) {
            buf_char(out, text.at[i]);
        } else {
            add_encoded(out, text.at[i]);
        }
    }
}

/* May the byte at `i` stand in a URI as it is? */
static bool is_allowed(struct str text, size_t i)
{
    char c = text.at[i];

    if (c == '%') {
        return text.len - i > 2 && text_hex(text.at[i + 1]) >= 0 && text_hex(text.at[i + 2]) >= 0;
    }
    return is_unreserved(c) || (c != '\0' && strchr(":/?@!$&'()*+,;=", c));
}

void uri_mend(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_allowed(text, i)) {
            buf_char(out, text.at[i]);
        } else {
            add_encoded(out, text.at[i]);
        }
    }
}

struct str uri_one_spelling(struct str path, struct arena *arena)
{
    struct buf out;

    if (!str_has(path, '%')) {
        return path;
    }
    buf_init(&out, arena);
    for (size_t i = 0; i < path.len; i++) {
        char c = path.at[i];

        if (c != '%' || !is_allowed(path, i)) {
            buf_char(&out, c);
            continue;
        }
        c = (char)(text_hex(path.at[i + 1]) << 4 | text_hex(path.at[i + 2]));
        i += 2;
        if (is_unreserved(c) || (unsigned char)c >= 0x80) {
            buf_char(&out, c);
        } else {
            add_encoded(&out, c);
        }
    }
    return buf_as_str(&out);
}

enum uri_parameter uri_parameter(
    struct str query, const char *name, struct arena *arena, struct str *value)
{
    while (query.len > 0) {
        struct str pair = str_take(&query, '&');
        struct str raw_name = str_take(&pair, '=');
        struct str decoded;

        /* A name that cannot be decoded is nobody's name. */
        if (decode(raw_name, true, arena, &decoded) && str_is(decoded, name)) {
            return decode(pair, true, arena, value) ? URI_PRESENT : URI_BROKEN;
        }
    }
    return URI_ABSENT;
}
