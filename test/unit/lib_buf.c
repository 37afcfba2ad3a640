/* lib_buf: additions come out in order whatever their size, and every string becomes JSON. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/buf.h"

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

static void assert_buf(const struct buf *buf, struct str expected)
{
    assert_int_equal(buf_as_str(buf).len, expected.len);
    if (expected.len > 0) {
        assert_memory_equal(buf_as_str(buf).at, expected.at, expected.len);
    }
}

static void additions_stand_in_order(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, &arena);
    assert_buf(&buf, STR(""));
    assert_string_equal(buf_as_text(&buf), "");
    buf_add(&buf, NULL, 0);
    buf_text(&buf, "a cup");
    buf_char(&buf, ' ');
    buf_str(&buf, STR("of"));
    assert_string_equal(buf_as_text(&buf), "a cup of");
    buf_printf(&buf, " %s %d", "coffee", 42);
    memcpy(buf_room(&buf, 3), "...", 3);
    buf.len += 2;
    assert_buf(&buf, STR("a cup of coffee 42.."));
}

static void long_texts_arrive_whole(void **state)
{
    struct buf buf, copy;
    unsigned seed = 3;

    (void)state;
    buf_init(&buf, &arena);
    buf_init(&copy, &arena);
    for (int i = 0; i < 20000; i++) {
        buf_char(&buf, (char)('a' + i % 26));
    }
    for (size_t at = 0; at < buf.len;) {
        size_t len = (size_t)rand_r(&seed) % 700;

        len = len < buf.len - at ? len : buf.len - at;
        buf_add(&copy, buf.data + at, len);
        at += len;
    }
    assert_buf(&copy, buf_as_str(&buf));
}

/* 128 is where the first attempt of buf_printf ends. */
static void formatted_texts_of_any_length_arrive_whole(void **state)
{
    static const int lengths[] = { 0, 1, 126, 127, 128, 129, 255, 256, 5000 };

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct buf buf;

        buf_init(&buf, &arena);
        buf_printf(&buf, "<%*s>", lengths[i], "");
        assert_int_equal(buf.len, lengths[i] + 2);
        assert_int_equal(buf.data[0], '<');
        assert_int_equal(buf.data[buf.len - 1], '>');
    }
}

static void integers(void **state)
{
    static const struct {
        long long number;
        const char *expected;
    } cases[] = {
        { 0, "0" },
        { 7, "7" },
        { -7, "-7" },
        { 10, "10" },
        { 145000, "145000" },
        { LLONG_MAX, "9223372036854775807" },
        { LLONG_MIN, "-9223372036854775808" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf buf;

        buf_init(&buf, &arena);
        buf_int(&buf, cases[i].number);
        assert_string_equal(buf_as_text(&buf), cases[i].expected);
    }
}

static void json_strings(void **state)
{
    static const struct {
        struct str text;
        const char *expected;
    } cases[] = {
        { { NULL, 0 }, "\"\"" },
        { { "latte", 5 }, "\"latte\"" },
        { { "a/b", 3 }, "\"a/b\"" },
        { { "say \"hi\"", 8 }, "\"say \\\"hi\\\"\"" },
        { { "C:\\cup", 6 }, "\"C:\\\\cup\"" },
        { { "\b\t\n\f\r", 5 }, "\"\\b\\t\\n\\f\\r\"" },
        { { "\0", 1 }, "\"\\u0000\"" },
        { { "\x01\x0b\x1f", 3 }, "\"\\u0001\\u000b\\u001f\"" },
        { { "\x20\x7f", 2 }, "\"\x20\x7f\"" },
        { { "Vinícius ☕ 𝄞", 18 }, "\"Vinícius ☕ 𝄞\"" },
        { { "\xc2\x85\xe2\x80\xa8", 5 }, "\"\xc2\x85\xe2\x80\xa8\"" },
        /* invalid bytes: alone, cut off, overlong, a surrogate, beyond U+10FFFF */
        { { "a\xff z", 4 }, "\"a\uFFFD z\"" },
        { { "\xe2\x98", 2 }, "\"\uFFFD\uFFFD\"" },
        { { "\xc0\xaf", 2 }, "\"\uFFFD\uFFFD\"" },
        { { "\xed\xa0\x80", 3 }, "\"\uFFFD\uFFFD\uFFFD\"" },
        { { "\xf4\x90\x80\x80", 4 }, "\"\uFFFD\uFFFD\uFFFD\uFFFD\"" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf buf;

        buf_init(&buf, &arena);
        buf_json_string(&buf, cases[i].text);
        assert_string_equal(buf_as_text(&buf), cases[i].expected);
    }
}

/* Six bytes for each: more than was made room for at the start. */
static void a_long_string_of_control_characters(void **state)
{
    struct buf in, out;

    (void)state;
    buf_init(&in, &arena);
    buf_init(&out, &arena);
    for (int i = 0; i < 5000; i++) {
        buf_char(&in, '\x01');
    }
    buf_json_string(&out, buf_as_str(&in));
    assert_int_equal(out.len, 5000 * 6 + 2);
    assert_memory_equal(out.data + out.len - 7, "\\u0001\"", 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(additions_stand_in_order),
        cmocka_unit_test(long_texts_arrive_whole),
        cmocka_unit_test(formatted_texts_of_any_length_arrive_whole),
        cmocka_unit_test(integers),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(a_long_string_of_control_characters),
    };

    return cmocka_run_group_tests_name("lib/buf", tests, setup, teardown);
}
