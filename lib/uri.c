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

/* RFC 3986 section 2.3 */
static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void uri_encode(struct buf *out, struct str text)
{
    static const char hex[] = "0123456789ABCDEF"; /* section 2.1 recommends upper case */
    char *start = buf_room(out, text.len * 3);
    char *to = start;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];

        if (is_unreserved((char)c)) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    out->len += (size_t)(to - start);
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
