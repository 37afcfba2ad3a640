/* json_node: looks into what json.c has read: members, elements, strings, positions.
 *
 * Strings are decoded only here, when somebody asks for one: most are passed on as they stand.
 */
#include "json.h"
#include "text.h"

struct str json_raw(const struct json *json, uint32_t node)
{
    const struct json_node *at = &json->nodes[node];

    return (struct str){ json->text.at + at->start, at->end - at->start };
}

/* What stands between the quotes of a string node. */
static struct str inside_quotes(const struct json *json, uint32_t node)
{
    struct str raw = json_raw(json, node);

    return (struct str){ raw.at + 1, raw.len - 2 };
}

/* The value of four hex digits, which were found valid when they were read. */
static unsigned hex4(const char *at)
{
    unsigned value = 0;

    for (int i = 0; i < 4; i++) {
        value = value << 4 | (unsigned)text_hex(at[i]);
    }
    return value;
}

/* Takes \uXXXX off the front of `rest`, or the pair of them that makes one character beyond U+FFFF
 * (RFC 8259 section 7). A surrogate without its partner gives U+FFFD. */
static unsigned take_unicode(struct str *rest)
{
    unsigned high = hex4(rest->at + 2);
    unsigned low = 0;

    rest->at += 6;
    rest->len -= 6;
    if (high < 0xD800 || high > 0xDFFF) {
        return high;
    }
    if (high < 0xDC00 && rest->len >= 6 && rest->at[0] == '\\' && rest->at[1] == 'u') {
        low = hex4(rest->at + 2);
    }
    if (low < 0xDC00 || low > 0xDFFF) {
        return 0xFFFD;
    }
    rest->at += 6;
    rest->len -= 6;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* Takes one escape off the front of `rest`, which was found valid when it was read. */
static unsigned take_escape(struct str *rest)
{
    static const char meaning[] = {
        ['"'] = '"',
        ['\\'] = '\\',
        ['/'] = '/',
        ['b'] = '\b',
        ['f'] = '\f',
        ['n'] = '\n',
        ['r'] = '\r',
        ['t'] = '\t',
    };
    char c = rest->at[1];

    if (c == 'u') {
        return take_unicode(rest);
    }
    rest->at += 2;
    rest->len -= 2;
    return (unsigned char)meaning[(unsigned char)c];
}

/* Takes one character off the front of `rest`, or one byte of it; writes it to `out` (4 bytes) and
 * returns its length there. */
static size_t take_char(struct str *rest, char *out)
{
    if (*rest->at == '\\') {
        return text_put(out, take_escape(rest));
    }
    *out = *rest->at++;
    rest->len--;
    return 1;
}

struct str json_string(const struct json *json, uint32_t node, struct arena *arena)
{
    struct str rest = inside_quotes(json, node);
    struct str string = rest;
    char *bytes;

    if (str_has(rest, '\\')) {
        bytes = arena_alloc(arena, rest.len); /* every escape is longer than what it stands for */
        string = (struct str){ bytes, 0 };
        while (rest.len > 0) {
            string.len += take_char(&rest, bytes + string.len);
        }
    }
    return string;
}

static bool is_named(const struct json *json, uint32_t node, struct str name)
{
    struct str rest = inside_quotes(json, node);
    size_t compared = 0;
    char bytes[4];

    if (rest.len < name.len) {
        return false; /* escapes make it longer, never shorter */
    }
    if (!str_has(rest, '\\')) {
        return str_eq(rest, name);
    }
    while (rest.len > 0) {
        size_t len = take_char(&rest, bytes);

        if (len > name.len - compared || memcmp(bytes, name.at + compared, len) != 0) {
            return false;
        }
        compared += len;
    }
    return compared == name.len;
}

uint32_t json_member(const struct json *json, uint32_t object, struct str name)
{
    uint32_t found = JSON_NONE;
    uint32_t member = object + 1;

    if (object == JSON_NONE || json->nodes[object].type != JSON_OBJECT) {
        return JSON_NONE;
    }
    for (uint32_t i = 0; i < json->nodes[object].count; i++) {
        if (is_named(json, member, name)) {
            found = member + 1;
        }
        member = json->nodes[member + 1].next;
    }
    return found;
}

uint32_t json_element(const struct json *json, uint32_t array, uint32_t index)
{
    uint32_t element = array + 1;

    if (array == JSON_NONE || json->nodes[array].type != JSON_ARRAY ||
        index >= json->nodes[array].count) {
        return JSON_NONE;
    }
    while (index-- > 0) {
        element = json->nodes[element].next;
    }
    return element;
}

void json_position(struct str text, size_t at, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.at[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (i + 1 >= text.len || (text.at[i + 1] & 0xC0) != 0x80) {
            ++*column; /* the next byte starts a character */
        }
    }
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",
        [JSON_FALSE] = "boolean",
        [JSON_TRUE] = "boolean",
        [JSON_NUMBER] = "number",
        [JSON_STRING] = "string",
        [JSON_ARRAY] = "array",
        [JSON_OBJECT] = "object",
    };

    return names[type];
}
