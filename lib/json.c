/* json: reads JSON (RFC 8259) in one pass, without recursion, into nodes of 20 bytes.
 *
 * On the way of every composed reply, so bytes are looked at once: the reader walks from token to
 * token, and the containers around it stand on a small stack of their own. What was read is looked
 * into by json_node.c.
 */
#include "json.h"
#include "text.h"

struct reader {
    const char *begin, *at, *end;
    struct arena *arena;
    struct json_node *nodes;
    uint32_t count, cap;
    uint32_t open[JSON_DEPTH_MAX]; /* the arrays and objects around `at`, the outermost first */
    unsigned depth;
    struct json_error error;
};

static bool fail(struct reader *reader, const char *at, const char *what)
{
    reader->error = (struct json_error){ (size_t)(at - reader->begin), what };
    return false;
}

/* The byte that comes, or a NUL at the end, which no rule of the grammar wants either. */
static char peek(const struct reader *reader)
{
    return reader->at < reader->end ? *reader->at : '\0';
}

static void skip_space(struct reader *reader)
{
    const char *at = reader->at; /* here and below: a local stays in a register, byte by byte */

    while (at < reader->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    reader->at = at;
}

static void more_nodes(struct reader *reader)
{
    /* To begin with, a guess that holds for pretty-printed text; it doubles from there. */
    size_t cap =
        reader->cap ? (size_t)reader->cap * 2 : (size_t)(reader->end - reader->begin) / 16 + 8;

    if (cap > UINT32_MAX) {
        cap = UINT32_MAX; /* enough: every node has a byte of the text for itself */
    }
    reader->nodes = arena_grow(reader->arena, reader->nodes, reader->cap * sizeof *reader->nodes,
        cap * sizeof *reader->nodes);
    reader->cap = (uint32_t)cap;
}

/* A node for the bytes from `start` to where the reader is. */
static void add_node(struct reader *reader, enum json_type type, const char *start)
{
    struct json_node *node;

    if (reader->count == reader->cap) {
        more_nodes(reader);
    }
    node = &reader->nodes[reader->count++];
    node->start = (uint32_t)(start - reader->begin);
    node->end = (uint32_t)(reader->at - reader->begin);
    node->next = reader->count;
    node->count = 0;
    node->type = type;
}

/* Do four hex digits stand at `at`? */
static bool is_hex4(const char *at, const char *end)
{
    return end - at >= 4 && text_hex(at[0]) >= 0 && text_hex(at[1]) >= 0 && text_hex(at[2]) >= 0 &&
           text_hex(at[3]) >= 0;
}

/* At a backslash. */
static bool read_escape(struct reader *reader)
{
    const char *start = reader->at++;
    char c = peek(reader);

    if (c == 'u') {
        if (!is_hex4(reader->at + 1, reader->end)) {
            return fail(reader, start, "\\u needs four hex digits");
        }
        reader->at += 5;
        return true;
    }
    if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL) {
        return fail(reader, start, "unknown escape (a backslash itself is written \\\\)");
    }
    reader->at++;
    return true;
}

/* A byte that cannot simply be stepped over: not ASCII, or a control character. */
static bool read_special(struct reader *reader, const char *string)
{
    unsigned code_point;
    size_t len =
        text_char((struct str){ reader->at, (size_t)(reader->end - reader->at) }, &code_point);

    if (len == 0) {
        return fail(reader, reader->at, "this is not UTF-8");
    }
    if (code_point == '\n' || code_point == '\r') {
        return fail(reader, string, "unfinished string (a line break inside is written \\n)");
    }
    if (code_point < 0x20) {
        return fail(
            reader, reader->at, "control character in a string (write \\n, \\t or \\u00XX)");
    }
    reader->at += len;
    return true;
}

/* Up to the next byte of a string that has a meaning, or may be wrong. */
static void skip_plain(struct reader *reader)
{
    static const bool is_plain[256] = {
        [' ' ... '!'] = true, ['#' ... '['] = true, [']' ... 0x7F] = true
    };
    const char *at = reader->at;

    while (at < reader->end && is_plain[(unsigned char)*at]) {
        at++;
    }
    reader->at = at;
}

/* At an opening quote. */
static bool read_string(struct reader *reader)
{
    const char *start = reader->at++;

    for (;;) {
        skip_plain(reader);
        if (reader->at == reader->end) {
            return fail(reader, start, "unfinished string");
        }
        if (*reader->at == '"') {
            reader->at++;
            add_node(reader, JSON_STRING, start);
            return true;
        }
        if (*reader->at == '\\' ? !read_escape(reader) : !read_special(reader, start)) {
            return false;
        }
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One digit or more; false where there is none. */
static bool skip_digits(struct reader *reader)
{
    const char *start = reader->at, *at = start;

    while (at < reader->end && is_digit(*at)) {
        at++;
    }
    reader->at = at;
    return at > start;
}

/* At a digit or '-'. */
static bool read_number(struct reader *reader)
{
    const char *start = reader->at;
    const char *whole;

    if (*reader->at == '-') {
        reader->at++;
    }
    whole = reader->at;
    if (!skip_digits(reader)) {
        return fail(reader, start, "'-' without a digit behind it");
    }
    if (*whole == '0' && reader->at - whole > 1) {
        return fail(reader, start, "number with a leading zero");
    }
    if (peek(reader) == '.') {
        reader->at++;
        if (!skip_digits(reader)) {
            return fail(reader, start, "number without a digit behind the '.'");
        }
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-') {
            reader->at++;
        }
        if (!skip_digits(reader)) {
            return fail(reader, start, "number without a digit in its exponent");
        }
    }
    add_node(reader, JSON_NUMBER, start);
    return true;
}

static bool read_word(struct reader *reader, struct str word, enum json_type type)
{
    const char *start = reader->at;

    if ((size_t)(reader->end - start) < word.len || memcmp(start, word.at, word.len) != 0) {
        return fail(reader, start, "expected a value");
    }
    reader->at += word.len;
    add_node(reader, type, start);
    return true;
}

/* There is no value here: what may have been meant? */
static bool fail_no_value(struct reader *reader)
{
    const char *what = "expected a value";

    switch (peek(reader)) {
    case '\'':
        what = "expected a value (strings stand in double quotes)";
        break;
    case '/':
    case '#':
        what = "expected a value (JSON has no comments)";
        break;
    case '+':
        what = "number with a '+'";
        break;
    case '.':
        what = "number without a digit before the '.'";
        break;
    }
    if (reader->at == reader->end) {
        what = "the text ends where a value is expected";
    }
    return fail(reader, reader->at, what);
}

/* Everything but arrays and objects. */
static bool read_scalar(struct reader *reader)
{
    char c = peek(reader);

    switch (c) {
    case '"':
        return read_string(reader);
    case 't':
        return read_word(reader, STR("true"), JSON_TRUE);
    case 'f':
        return read_word(reader, STR("false"), JSON_FALSE);
    case 'n':
        return read_word(reader, STR("null"), JSON_NULL);
    default:
        return is_digit(c) || c == '-' ? read_number(reader) : fail_no_value(reader);
    }
}

/* A member's name and the ':' behind it; the reader stands where its value should begin. */
static bool read_name(struct reader *reader)
{
    skip_space(reader);
    if (peek(reader) != '"') {
        return fail(reader, reader->at,
            reader->at == reader->end ? "the text ends inside an object"
                                      : "expected a name in double quotes");
    }
    if (!read_string(reader)) {
        return false;
    }
    skip_space(reader);
    if (peek(reader) != ':') {
        return fail(reader, reader->at, "expected ':' behind the name");
    }
    reader->at++;
    return true;
}

static bool open_container(struct reader *reader, enum json_type type)
{
    if (reader->depth == JSON_DEPTH_MAX) {
        return fail(reader, reader->at, "nested deeper than " STR_NUMBER(JSON_DEPTH_MAX) " levels");
    }
    add_node(reader, type, reader->at++);
    reader->open[reader->depth++] = reader->count - 1;
    return true;
}

static void close_container(struct reader *reader)
{
    struct json_node *node = &reader->nodes[reader->open[--reader->depth]];

    reader->at++;
    node->end = (uint32_t)(reader->at - reader->begin);
    node->next = reader->count;
}

/* Neither ',' nor the closing bracket stands where one of them should. */
static bool fail_no_comma(struct reader *reader, bool in_object)
{
    if (reader->at == reader->end) {
        return fail(reader, reader->at,
            in_object ? "the text ends inside an object" : "the text ends inside an array");
    }
    return fail(reader, reader->at, in_object ? "expected ',' or '}'" : "expected ',' or ']'");
}

/* Behind a value: closes what ends here, up to where the next value begins or all is closed. */
static bool read_behind_value(struct reader *reader)
{
    while (reader->depth > 0) {
        struct json_node *around = &reader->nodes[reader->open[reader->depth - 1]];
        bool in_object = around->type == JSON_OBJECT;
        char closing = in_object ? '}' : ']';
        const char *comma;

        around->count++;
        skip_space(reader);
        if (peek(reader) == closing) {
            close_container(reader);
            continue;
        }
        if (peek(reader) != ',') {
            return fail_no_comma(reader, in_object);
        }
        comma = reader->at++;
        skip_space(reader);
        if (peek(reader) == closing) {
            return fail(reader, comma, "',' with nothing behind it");
        }
        return in_object ? read_name(reader) : true;
    }
    return true;
}

/* At '[' or '{'. Goes inside, to where the first value begins; an empty one is read whole, and
 * *whole set. */
static bool read_opening(struct reader *reader, bool *whole)
{
    bool is_object = *reader->at == '{';

    if (!open_container(reader, is_object ? JSON_OBJECT : JSON_ARRAY)) {
        return false;
    }
    skip_space(reader);
    *whole = peek(reader) == (is_object ? '}' : ']');
    if (*whole) {
        close_container(reader);
        return true;
    }
    return is_object ? read_name(reader) : true;
}

static bool read_document(struct reader *reader)
{
    if (reader->end - reader->begin >= 3 && memcmp(reader->begin, "\xEF\xBB\xBF", 3) == 0) {
        return fail(reader, reader->begin, "byte order mark (U+FEFF) before the value");
    }
    do {
        bool whole = true;

        skip_space(reader);
        if (peek(reader) == '{' || peek(reader) == '[') {
            if (!read_opening(reader, &whole)) {
                return false;
            }
        } else if (!read_scalar(reader)) {
            return false;
        }
        if (whole && !read_behind_value(reader)) {
            return false;
        }
    } while (reader->depth > 0);
    skip_space(reader);
    if (reader->at < reader->end) {
        return fail(reader, reader->at, "something follows the value");
    }
    return true;
}

bool json_read(struct json *json, struct str text, struct arena *arena, struct json_error *error)
{
    struct reader reader;
    bool valid;

    *json = (struct json){ .text = text };
    reader.begin = reader.at = text.at ? text.at : "";
    reader.end = reader.begin + text.len;
    reader.arena = arena;
    reader.nodes = NULL;
    reader.count = reader.cap = 0;
    reader.depth = 0;
    valid = text.len <= UINT32_MAX ? read_document(&reader)
                                   : fail(&reader, reader.begin, "longer than 4 GiB");
    if (valid) {
        json->nodes = reader.nodes;
        json->node_count = reader.count;
    } else if (error) {
        *error = reader.error;
    }
    return valid;
}
