/* lib_json_jansson: our reader of JSON against jansson, on the same texts.
 *
 * Texts are valid ones with a few bytes changed, always the same (a fixed seed). Both must accept
 * the same texts and see the same values in them, but for the differences that jansson_is_stricter
 * and we_are_stricter name.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* Names that both libraries have. Nothing here calls jansson's json_string. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_TRUE JANSSON_TRUE
#define JSON_FALSE JANSSON_FALSE
#define JSON_NULL JANSSON_NULL
#define json_string jansson_string
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL
#undef json_string
#include "lib/json.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define ROUNDS 100000 /* under a second */
#define TEXT_MAX 400

static const char *const valid[] = {
    "{\"service\":\"users-service\",\"total\":6,\"users\":[{\"id\":1,\"active\":true}]}",
    "[1,-0,12.50,1e5,-1.5E-3,0.1e+10,1234567890123456789012345,1e308]",
    "[\"\",\"a\\\"\\\\\\/\\b\\f\\n\\r\\tb\",\"\\u00e9\\u0041\\uD834\\uDD1E\",\"Vin\xc3\xad\"]",
    "{\"a\":{\"b\":{\"c\":[[],{},[{}],{\"d\":null}]}},\"\":[true,false,null]}",
    " { \"a\" : [ 1 , 2 ] ,\r\n\t\"b\" : \"\xe2\x98\x95 \xf0\x9d\x84\x9e\" } ",
    "\"\\u0000x\"",
    "[[[[[[[[[[0]]]]]]]]]]",
    "{\"a\":1,\"a\":2,\"\\u0061\":3,\"b\":{\"a\":4}}",
    "null",
    "-12.5e-7",
};

/* What tends to make a difference. */
static const char *const pieces[] = { "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud8",
    "\\uDD1E", "0", "-", ".", "e", "E+", "9999999999", "true", "null", " ", "\n", "\t", "\x01",
    "\x7f", "\x80", "\xbf", "\xc0", "\xc3", "\xe2\x98", "\xed\xa0\x80", "\xf4\x90", "\xff",
    "\xef\xbb\xbf", "\\n", "\\x", "/", "'", "a", "\"a\":", "[]", "{}" };

struct text {
    char bytes[TEXT_MAX];
    size_t len;
};

static void remove_some(struct text *text, size_t at, size_t count)
{
    count = count < text->len - at ? count : text->len - at;
    memmove(text->bytes + at, text->bytes + at + count, text->len - at - count);
    text->len -= count;
}

static void insert(struct text *text, size_t at, const char *bytes, size_t count)
{
    if (text->len + count <= TEXT_MAX) {
        memmove(text->bytes + at + count, text->bytes + at, text->len - at);
        memcpy(text->bytes + at, bytes, count);
        text->len += count;
    }
}

static void change(struct text *text, unsigned *seed)
{
    size_t at = (size_t)rand_r(seed) % (text->len + 1);
    const char *piece = pieces[(size_t)rand_r(seed) % COUNT(pieces)];
    const char *other = valid[(size_t)rand_r(seed) % COUNT(valid)];

    switch (rand_r(seed) % 6) {
    case 0:
        remove_some(text, at, 1);
        break;
    case 1:
        remove_some(text, at, (size_t)rand_r(seed) % 8);
        break;
    case 2:
        insert(text, at, piece, strlen(piece));
        break;
    case 3:
        remove_some(text, at, 1);
        insert(text, at, piece, strlen(piece));
        break;
    case 4:
        insert(text, at, other, strlen(other));
        break;
    case 5:
        insert(text, at, "\0", 1);
        break;
    }
}

/* jansson refuses numbers that no double can hold, surrogates without their partner, and NUL in a
 * member's name: RFC 8259 allows all of them in its grammar. */
static bool jansson_is_stricter(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           strstr(error->text, "invalid Unicode '\\u") != NULL;
}

/* jansson steps over a NUL byte as if it were not there, in most places. */
static bool we_are_stricter(struct str text)
{
    return str_has(text, '\0');
}

static struct str text_of(const json_t *string)
{
    return (struct str){ json_string_value(string), json_string_length(string) };
}

static bool is_same(const struct json *json, uint32_t node, json_t *theirs, struct arena *arena);

/* jansson keeps the last of members with the same name, which is the one that json_member finds. */
static bool is_same_object(
    const struct json *json, uint32_t object, json_t *theirs, struct arena *arena)
{
    const char *name;
    json_t *value;

    json_object_foreach(theirs, name, value)
    {
        uint32_t member = json_member(json, object, str_of(name));

        if (member == JSON_NONE || !is_same(json, member, value, arena)) {
            return false;
        }
    }
    return json->nodes[object].count >= json_object_size(theirs);
}

static bool is_same_array(
    const struct json *json, uint32_t array, json_t *theirs, struct arena *arena)
{
    if (json->nodes[array].count != json_array_size(theirs)) {
        return false;
    }
    for (uint32_t i = 0; i < json_array_size(theirs); i++) {
        if (!is_same(json, json_element(json, array, i), json_array_get(theirs, i), arena)) {
            return false;
        }
    }
    return true;
}

static bool is_same(const struct json *json, uint32_t node, json_t *theirs, struct arena *arena)
{
    enum json_type type = json->nodes[node].type;
    struct str raw = json_raw(json, node);

    switch (json_typeof(theirs)) {
    case JANSSON_OBJECT:
        return type == JSON_OBJECT && is_same_object(json, node, theirs, arena);
    case JANSSON_ARRAY:
        return type == JSON_ARRAY && is_same_array(json, node, theirs, arena);
    case JANSSON_STRING:
        return type == JSON_STRING && str_eq(json_string(json, node, arena), text_of(theirs));
    case JANSSON_TRUE:
        return type == JSON_TRUE;
    case JANSSON_FALSE:
        return type == JSON_FALSE;
    case JANSSON_NULL:
        return type == JSON_NULL;
    default:
        return type == JSON_NUMBER &&
               strtod(arena_copy(arena, raw.at, raw.len), NULL) == json_number_value(theirs);
    }
}

struct tally {
    unsigned both_accept, both_refuse, known_differences;
};

/* Integers are read as reals: jansson's are 64 bits, ours are as long as the text. */
static void compare(struct str text, struct arena *arena, struct tally *tally)
{
    json_error_t their_error;
    struct json_error our_error = { 0 };
    json_t *theirs = json_loadb(text.at, text.len,
        JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &their_error);
    struct json json;
    bool ours = json_read(&json, text, arena, &our_error);

    if (ours && theirs) {
        if (!is_same(&json, 0, theirs, arena)) {
            fail_msg("read differently: %.*s", (int)text.len, text.at);
        }
        tally->both_accept++;
    } else if (ours ? jansson_is_stricter(&their_error) : theirs && we_are_stricter(text)) {
        tally->known_differences++;
    } else if (ours || theirs) {
        fail_msg("%s by us, not by jansson: %.*s (%s)", ours ? "accepted" : "refused",
            (int)text.len, text.at, ours ? their_error.text : our_error.what);
    } else {
        tally->both_refuse++;
    }
    json_decref(theirs);
}

static void both_read_the_same(void **state)
{
    struct tally tally = { 0 };
    struct arena arena;
    unsigned seed = 20241128;

    (void)state;
    arena_init(&arena);
    for (int i = 0; i < ROUNDS; i++) {
        const char *start = valid[(size_t)rand_r(&seed) % COUNT(valid)];
        struct text text = { .len = strlen(start) };

        memcpy(text.bytes, start, text.len);
        for (int changes = rand_r(&seed) % 4; changes > 0; changes--) {
            change(&text, &seed);
        }
        compare((struct str){ text.bytes, text.len }, &arena, &tally);
        arena_reset(&arena);
    }
    arena_clear(&arena);
    print_message("both accept %u, both refuse %u, known differences %u\n", tally.both_accept,
        tally.both_refuse, tally.known_differences);
    /* else the changes are too wild or too tame to find anything */
    assert_in_range(tally.both_accept, ROUNDS / 4, ROUNDS);
    assert_in_range(tally.both_refuse, ROUNDS / 4, ROUNDS);
    assert_in_range(tally.known_differences, 1, ROUNDS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(both_read_the_same) };

    return cmocka_run_group_tests_name("lib/json and jansson", tests, NULL, NULL);
}
