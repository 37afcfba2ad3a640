/* lib_json: what is JSON and what is not (RFC 8259), where a mistake is, and what the nodes say. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/buf.h"
#include "lib/json.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static struct json read_valid(const char *text)
{
    struct json json;
    struct json_error error;

    if (!json_read(&json, str_of(text), &arena, &error)) {
        fail_msg("refused: %s\n(at %zu: %s)", text, error.at, error.what);
    }
    return json;
}

/* Writes what the nodes say, without white space; returns the node behind `node`. */
static uint32_t write_node(struct buf *out, const struct json *json, uint32_t node)
{
    const struct json_node *at = &json->nodes[node];
    bool is_object = at->type == JSON_OBJECT;
    uint32_t inside = node + 1;

    if (at->type != JSON_ARRAY && !is_object) {
        buf_str(out, json_raw(json, node));
        assert_int_equal(at->next, node + 1);
        return inside;
    }
    buf_char(out, is_object ? '{' : '[');
    for (uint32_t i = 0; i < at->count; i++) {
        buf_text(out, i ? "," : "");
        if (is_object) {
            assert_int_equal(json->nodes[inside].type, JSON_STRING);
            inside = write_node(out, json, inside);
            buf_char(out, ':');
        }
        inside = write_node(out, json, inside);
    }
    buf_char(out, is_object ? '}' : ']');
    assert_int_equal(at->next, inside);
    assert_int_equal(json->text.at[at->start], is_object ? '{' : '[');
    assert_int_equal(json->text.at[at->end - 1], is_object ? '}' : ']');
    return inside;
}

static void accepted_texts(void **state)
{
    static const struct {
        const char *text, *nodes; /* NULL: the same as the text */
    } cases[] = {
        { "null", NULL },
        { "true", NULL },
        { "false", NULL },
        { "0", NULL },
        { "-0", NULL },
        { "-1", NULL },
        { "12.50", NULL },
        { "0.1", NULL },
        { "-0.0e-0", NULL },
        { "1e5", NULL },
        { "1E+5", NULL },
        { "0e1", NULL },
        { "1.5e-300", NULL },
        { "1e999999", NULL },
        { "1234567890123456789012345", NULL },
        { "\"\"", NULL },
        { "\"latte\"", NULL },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", NULL },
        { "\"\\u0000\\u00e9\\uABCD\\uabcd\"", NULL },
        { "\"\\uD834\\uDD1E\"", NULL },
        { "\"\\uD834\"", NULL },
        { "\"\\uDD1E\\uD834x\"", NULL },
        { "\"a/b\x7f\"", NULL },
        { "\"Vinícius ☕ 𝄞\"", NULL },
        { "\"\xef\xbb\xbf\"", NULL },
        { "\"\xc2\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"", NULL },
        { " \t\r\n 1 \t\r\n ", "1" },
        { "[]", NULL },
        { "{}", NULL },
        { " [ ] ", "[]" },
        { " { } ", "{}" },
        { "[[]]", NULL },
        { "[[],[],{},[[]]]", NULL },
        { "[null,true,false,0,\"\",[],{}]", NULL },
        { "{\"\":0}", NULL },
        { "{\"a\":{\"b\":{\"c\":[]}}}", NULL },
        { "{\"a\":1,\"a\":2}", NULL },
        { "{\"a\":[{\"b\":[1,2,{}]},3],\"c\":\"]}\"}", NULL },
        { "\n{ \"a\" :\t[ 1 , 2 ] ,\r\n\"b\" : { } }\n", "{\"a\":[1,2],\"b\":{}}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json json = read_valid(cases[i].text);
        struct buf out;

        buf_init(&out, &arena);
        assert_int_equal(write_node(&out, &json, 0), json.node_count);
        assert_string_equal(buf_as_text(&out), cases[i].nodes ? cases[i].nodes : cases[i].text);
    }
}

struct refused {
    struct str text;
    size_t at;
    const char *what; /* a part of the message */
};

#define REFUSED(literal, position, message)                                                        \
    {                                                                                              \
        { literal, sizeof literal - 1 }, position, message                                         \
    }

static void assert_refused(const struct refused *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct json json;
        struct json_error error;
        struct str text = cases[i].text;

        if (json_read(&json, text, &arena, &error)) {
            fail_msg("accepted: %.*s", (int)text.len, text.at);
        }
        if (error.at != cases[i].at || strstr(error.what, cases[i].what) == NULL) {
            fail_msg("%.*s: at %zu, %s", (int)text.len, text.at, error.at, error.what);
        }
        assert_false(json_read(&json, text, &arena, NULL));
        assert_int_equal(json.node_count, 0);
    }
}

static void refused_structures(void **state)
{
    static const struct refused cases[] = {
        REFUSED("", 0, "ends where a value"),
        REFUSED("  ", 2, "ends where a value"),
        REFUSED("\xef\xbb\xbf{}", 0, "byte order mark"),
        REFUSED("\0", 0, "expected a value"),
        REFUSED("1\0", 1, "something follows"),
        REFUSED("1 2", 2, "something follows"),
        REFUSED("{}}", 2, "something follows"),
        REFUSED("[1]]", 3, "something follows"),
        REFUSED("nullx", 4, "something follows"),
        REFUSED("1a", 1, "something follows"),
        REFUSED("{} // done", 3, "something follows"),
        REFUSED("[", 1, "ends where a value"),
        REFUSED("[1", 2, "ends inside an array"),
        REFUSED("[1,", 3, "ends where a value"),
        REFUSED("[1,]", 2, "',' with nothing behind it"),
        REFUSED("[1, ]", 2, "',' with nothing behind it"),
        REFUSED("[,1]", 1, "expected a value"),
        REFUSED("[1,,2]", 3, "expected a value"),
        REFUSED("[1 2]", 3, "expected ',' or ']'"),
        REFUSED("[1;2]", 2, "expected ',' or ']'"),
        REFUSED("[1:2]", 2, "expected ',' or ']'"),
        REFUSED("[1}", 2, "expected ',' or ']'"),
        REFUSED("]", 0, "expected a value"),
        REFUSED("[[[1]]", 6, "ends inside an array"),
        REFUSED("{", 1, "ends inside an object"),
        REFUSED("{\"a\"", 4, "expected ':'"),
        REFUSED("{\"a\":", 5, "ends where a value"),
        REFUSED("{\"a\":1", 6, "ends inside an object"),
        REFUSED("{\"a\":1,", 7, "ends inside an object"),
        REFUSED("{\"a\":1,}", 6, "',' with nothing behind it"),
        REFUSED("{,}", 1, "expected a name"),
        REFUSED("{\"a\":1,,\"b\":2}", 7, "expected a name"),
        REFUSED("{a:1}", 1, "expected a name in double quotes"),
        REFUSED("{'a':1}", 1, "expected a name in double quotes"),
        REFUSED("{1:1}", 1, "expected a name in double quotes"),
        REFUSED("{\"a\" 1}", 5, "expected ':'"),
        REFUSED("{\"a\"=1}", 4, "expected ':'"),
        REFUSED("{\"a\":1 \"b\":2}", 7, "expected ',' or '}'"),
        REFUSED("{\"a\":1]", 6, "expected ',' or '}'"),
        REFUSED("{\"a\":}", 5, "expected a value"),
        REFUSED("{\"a\"}", 4, "expected ':'"),
        REFUSED("{\"a\":1:2}", 6, "expected ',' or '}'"),
        REFUSED("\f1", 0, "expected a value"),
        REFUSED("[1,\xc2\xa0"
                "2]",
            3, "expected a value"),
    };

    (void)state;
    assert_refused(cases, COUNT(cases));
}

static void refused_values(void **state)
{
    static const struct refused cases[] = {
        REFUSED("nul", 0, "expected a value"),
        REFUSED("True", 0, "expected a value"),
        REFUSED("[tru]", 1, "expected a value"),
        REFUSED("NaN", 0, "expected a value"),
        REFUSED("Infinity", 0, "expected a value"),
        REFUSED("-Infinity", 0, "'-' without a digit"),
        REFUSED("undefined", 0, "expected a value"),
        REFUSED("'a'", 0, "double quotes"),
        REFUSED("[/* no */1]", 1, "no comments"),
        REFUSED("# no\n1", 0, "no comments"),
        REFUSED("01", 0, "leading zero"),
        REFUSED("[-01]", 1, "leading zero"),
        REFUSED("00", 0, "leading zero"),
        REFUSED("0x1F", 1, "something follows"),
        REFUSED("+1", 0, "'+'"),
        REFUSED("-", 0, "'-' without a digit"),
        REFUSED("--1", 0, "'-' without a digit"),
        REFUSED("-.5", 0, "'-' without a digit"),
        REFUSED(".5", 0, "before the '.'"),
        REFUSED("5.", 0, "behind the '.'"),
        REFUSED("[5.]", 1, "behind the '.'"),
        REFUSED("1.e3", 0, "behind the '.'"),
        REFUSED("1e", 0, "exponent"),
        REFUSED("1e+", 0, "exponent"),
        REFUSED("1E-x", 0, "exponent"),
        REFUSED("1.2.3", 3, "something follows"),
        REFUSED("1_000", 1, "something follows"),
        REFUSED("\xef\xbc\x91", 0, "expected a value"),
    };

    (void)state;
    assert_refused(cases, COUNT(cases));
}

static void refused_strings(void **state)
{
    static const struct refused cases[] = {
        REFUSED("\"", 0, "unfinished string"),
        REFUSED("[\"abc", 1, "unfinished string"),
        REFUSED("\"abc\\\"", 0, "unfinished string"),
        REFUSED("[\"abc\n\"]", 1, "line break"),
        REFUSED("[\"abc\r\n\"]", 1, "line break"),
        REFUSED("\"a\tb\"", 2, "control character"),
        REFUSED("\"a\0b\"", 2, "control character"),
        REFUSED("\"\x1f\"", 1, "control character"),
        REFUSED("\"\\", 1, "escape"),
        REFUSED("\"\\x41\"", 1, "unknown escape"),
        REFUSED("\"C:\\cup\"", 3, "unknown escape"),
        REFUSED("\"\\U0041\"", 1, "unknown escape"),
        REFUSED("\"\\'\"", 1, "unknown escape"),
        REFUSED("\"\\\0\"", 1, "unknown escape"),
        REFUSED("\"\\\n\"", 1, "unknown escape"),
        REFUSED("\"\\u\"", 1, "four hex digits"),
        REFUSED("\"\\u12", 1, "four hex digits"),
        REFUSED("\"\\u123\"", 1, "four hex digits"),
        REFUSED("\"\\u12G4\"", 1, "four hex digits"),
        REFUSED("\"\\u+123\"", 1, "four hex digits"),
        REFUSED("\"a\xff\"", 2, "not UTF-8"),
        REFUSED("\"\x80\"", 1, "not UTF-8"),
        REFUSED("\"\xc0\xaf\"", 1, "not UTF-8"),
        REFUSED("\"\xe0\x80\xaf\"", 1, "not UTF-8"),
        REFUSED("\"\xed\xa0\x80\"", 1, "not UTF-8"),
        REFUSED("\"\xf4\x90\x80\x80\"", 1, "not UTF-8"),
        REFUSED("\"\xe2\x98\"", 1, "not UTF-8"),
        REFUSED("\"\xe2\x98", 1, "not UTF-8"),
        REFUSED("{\"\xff\":1}", 2, "not UTF-8"),
    };

    (void)state;
    assert_refused(cases, COUNT(cases));
}

/* What is cut off anywhere is never JSON, and nobody reads behind its end. */
static void every_beginning_is_refused(void **state)
{
    static const char text[] = "{\"a\":[1.5e3,true,null,\"\\u00e9\\n☕\",{\"b\":{}}],\"c\":[]}";
    struct json json;

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = arena_alloc(&arena, len); /* its end is poisoned under AddressSanitizer */

        memcpy(copy, text, len);
        assert_false(json_read(&json, (struct str){ copy, len }, &arena, NULL));
    }
    read_valid(text);
    assert_false(json_read(&json, (struct str){ NULL, 0 }, &arena, NULL));
}

static struct str nested(unsigned depth)
{
    struct buf text;

    buf_init(&text, &arena);
    for (unsigned i = 0; i < depth; i++) {
        buf_text(&text, i % 2 ? "{\"a\":" : "[");
    }
    buf_char(&text, '1');
    for (unsigned i = depth; i-- > 0;) {
        buf_char(&text, i % 2 ? '}' : ']');
    }
    return buf_as_str(&text);
}

static void nesting_is_bounded(void **state)
{
    struct json json;
    struct json_error error;
    struct buf text;

    (void)state;
    assert_true(json_read(&json, nested(JSON_DEPTH_MAX), &arena, NULL));
    assert_int_equal(json.node_count, JSON_DEPTH_MAX + JSON_DEPTH_MAX / 2 + 1);
    assert_false(json_read(&json, nested(JSON_DEPTH_MAX + 1), &arena, &error));
    assert_string_equal(error.what, "nested deeper than 128 levels");
    buf_init(&text, &arena);
    for (int i = 0; i < 1000000; i++) {
        buf_char(&text, '[');
    }
    assert_false(json_read(&json, buf_as_str(&text), &arena, &error));
    assert_int_equal(error.at, JSON_DEPTH_MAX);
}

/* More nodes than were made room for at the start. */
static void many_small_values(void **state)
{
    struct buf text;
    struct json json;
    uint32_t element;

    (void)state;
    buf_init(&text, &arena);
    buf_char(&text, '[');
    for (int i = 0; i < 100000; i++) {
        buf_printf(&text, "%s%d", i ? "," : "", i % 10);
    }
    buf_char(&text, ']');
    assert_true(json_read(&json, buf_as_str(&text), &arena, NULL));
    assert_int_equal(json.node_count, 100001);
    assert_int_equal(json.nodes[0].count, 100000);
    element = json_element(&json, 0, 99999);
    assert_true(str_is(json_raw(&json, element), "9"));
}

static void members_and_elements(void **state)
{
    struct json json =
        read_valid("{ \"user\": { \"id\" : 1, \"tags\": [\"a\", [], {\"x\":2}, 12.50 "
                   "] }, \"id\": 7, \"n\\u00e9e\\n\": 8, \"\": 9, \"id\": 10 }");
    uint32_t user = json_member(&json, 0, STR("user"));
    uint32_t tags = json_member(&json, user, STR("tags"));

    (void)state;
    assert_true(str_is(json_raw(&json, json_member(&json, user, STR("id"))), "1"));
    assert_true(str_is(json_raw(&json, tags), "[\"a\", [], {\"x\":2}, 12.50 ]"));
    assert_true(str_is(json_raw(&json, json_element(&json, tags, 0)), "\"a\""));
    assert_true(str_is(json_raw(&json, json_element(&json, tags, 3)), "12.50"));
    assert_true(
        str_is(json_raw(&json, json_member(&json, json_element(&json, tags, 2), STR("x"))), "2"));
    assert_true(str_is(json_raw(&json, json_member(&json, 0, STR("id"))), "10"));
    assert_true(str_is(json_raw(&json, json_member(&json, 0, STR("née\n"))), "8"));
    assert_true(str_is(json_raw(&json, json_member(&json, 0, STR(""))), "9"));
    assert_true(str_is(json_raw(&json, json_member(&json, 0, (struct str){ NULL, 0 })), "9"));
    assert_int_equal(json_member(&json, 0, STR("n\\u00e9e\\n")), JSON_NONE);
    assert_int_equal(json_member(&json, 0, STR("née")), JSON_NONE);
    assert_int_equal(json_member(&json, 0, STR("née\n.")), JSON_NONE);
    assert_int_equal(json_member(&json, 0, STR("nobody")), JSON_NONE);
    assert_int_equal(json_member(&json, tags, STR("a")), JSON_NONE);
    assert_int_equal(json_member(&json, JSON_NONE, STR("a")), JSON_NONE);
    assert_int_equal(json_element(&json, tags, 4), JSON_NONE);
    assert_int_equal(json_element(&json, user, 0), JSON_NONE);
    assert_int_equal(json_element(&json, JSON_NONE, 0), JSON_NONE);
}

static void strings_without_their_escapes(void **state)
{
    static const struct {
        const char *text;
        struct str expected;
    } cases[] = {
        { "\"\"", { "", 0 } },
        { "\"latte\"", { "latte", 5 } },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", { "\"\\/\b\f\n\r\t", 8 } },
        { "\"a\\u0000b\"", { "a\0b", 3 } },
        { "\"\\u0041\\u007f\\u0080\\u00e9\\u07ff\"", { "A\x7f\xc2\x80\xc3\xa9\xdf\xbf", 8 } },
        { "\"\\u0800\\u2615\\uFFFF\"", { "\xe0\xa0\x80\xe2\x98\x95\xef\xbf\xbf", 9 } },
        { "\"\\uD834\\uDD1E\"", { "\xf0\x9d\x84\x9e", 4 } },
        { "\"\\ud800\\udc00\\udbff\\udfff\"", { "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8 } },
        { "\"\\uD834\"", { "\uFFFD", 3 } },
        { "\"\\uDD1E\"", { "\uFFFD", 3 } },
        { "\"\\uD834x\"", { "\uFFFDx", 4 } },
        { "\"\\uD834\\n\"", { "\uFFFD\n", 4 } },
        { "\"\\uD834\\u0041\"", { "\uFFFD"
                                  "A",
                                    4 } },
        { "\"\\uD834\\uD834\\uDD1E\"", { "\uFFFD\xf0\x9d\x84\x9e", 7 } },
        { "\"\\uDD1E\\uDD1E\"", { "\uFFFD\uFFFD", 6 } },
        { "\"\\uDD1E\\uD834\"", { "\uFFFD\uFFFD", 6 } },
        { "\"☕\\u0020☕\"", { "☕ ☕", 7 } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json json = read_valid(cases[i].text);

        if (!str_eq(json_string(&json, 0, &arena), cases[i].expected)) {
            fail_msg("%s has other characters", cases[i].text);
        }
    }
}

static void a_string_without_escapes_is_not_copied(void **state)
{
    struct json json = read_valid("[\"latte\"]");

    (void)state;
    assert_ptr_equal(json_string(&json, 1, &arena).at, json.text.at + 2);
}

static void positions(void **state)
{
    static const struct {
        const char *text;
        size_t at;
        unsigned line, column;
    } cases[] = {
        { "", 0, 1, 1 },
        { "abc", 0, 1, 1 },
        { "abc", 2, 1, 3 },
        { "abc", 3, 1, 4 },
        { "abc", 99, 1, 4 },
        { "a\nbc", 1, 1, 2 },
        { "a\nbc", 2, 2, 1 },
        { "a\nbc", 3, 2, 2 },
        { "a\n\n\n", 4, 4, 1 },
        { "a\r\nb", 3, 2, 1 },
        { "é☕x", 2, 1, 2 },
        { "é☕x", 5, 1, 3 },
        { "é☕", 5, 1, 3 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned line, column;

        json_position(str_of(cases[i].text), cases[i].at, &line, &column);
        if (line != cases[i].line || column != cases[i].column) {
            fail_msg("byte %zu of \"%s\" is at %u:%u", cases[i].at, cases[i].text, line, column);
        }
    }
}

static void type_names(void **state)
{
    struct json json = read_valid("[null,true,false,1,\"\",[],{}]");
    static const char *const names[] = { "array", "null", "boolean", "boolean", "number", "string",
        "array", "object" };

    (void)state;
    for (uint32_t i = 0; i < COUNT(names); i++) {
        assert_string_equal(json_type_name(json.nodes[i].type), names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_texts),
        cmocka_unit_test(refused_structures),
        cmocka_unit_test(refused_values),
        cmocka_unit_test(refused_strings),
        cmocka_unit_test(every_beginning_is_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(many_small_values),
        cmocka_unit_test(members_and_elements),
        cmocka_unit_test(strings_without_their_escapes),
        cmocka_unit_test(a_string_without_escapes_is_not_copied),
        cmocka_unit_test(positions),
        cmocka_unit_test(type_names),
    };

    return cmocka_run_group_tests_name("lib/json", tests, setup, teardown);
}
