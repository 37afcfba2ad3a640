/* lib_uri: percent-encoding both ways, and parameters of a query. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/uri.h"

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

static void decoding(void **state)
{
    static const struct {
        const char *text;
        const char *expected; /* NULL: refused */
    } cases[] = {
        { "", "" },
        { "users", "users" },
        { "a%20b", "a b" },
        { "a+b", "a+b" },
        { "%2F%2f", "//" },
        { "%41%5a", "AZ" },
        { "%25%32%35", "%25" },
        { "caf%C3%A9", "café" },
        { "café", "café" },
        { "%F0%9D%84%9E", "𝄞" },
        { "%0A", "\n" },
        { "%", NULL },
        { "%4", NULL },
        { "a%", NULL },
        { "%%41", NULL },
        { "%4g", NULL },
        { "%g4", NULL },
        { "% 4", NULL },
        { "%+4", NULL },
        { "a%00b", NULL },
        { "%C3", NULL },
        { "%FF", NULL },
        { "%C0%AF", NULL },
        { "%ED%A0%80", NULL },
        { "\xff", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str out;
        bool valid = uri_decode(str_of(cases[i].text), &arena, &out);

        if (valid != (cases[i].expected != NULL)) {
            fail_msg("\"%s\" was %s", cases[i].text, valid ? "accepted" : "refused");
        }
        assert_true(!valid || str_is(out, cases[i].expected));
    }
}

/* A '%' at the end must not make the reader look behind it. */
static void decoding_stays_inside_the_text(void **state)
{
    struct str out;

    (void)state;
    assert_false(uri_decode((struct str){ "ab%41", 3 }, &arena, &out));
    assert_false(uri_decode((struct str){ "ab%41", 4 }, &arena, &out));
    assert_true(uri_decode((struct str){ "ab%41%", 5 }, &arena, &out));
    assert_true(str_is(out, "abA"));
    assert_false(uri_decode((struct str){ "a\0b", 3 }, &arena, &out));
    assert_true(uri_decode((struct str){ NULL, 0 }, &arena, &out));
    assert_int_equal(out.len, 0);
}

static void encoding(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "", "" },
        { "AZaz09-._~", "AZaz09-._~" },
        { "a/b?c#d", "a%2Fb%3Fc%23d" },
        { "a b+c", "a%20b%2Bc" },
        { "x=1&y=%", "x%3D1%26y%3D%25" },
        { "café ☕", "caf%C3%A9%20%E2%98%95" },
        { "\r\n\x7f", "%0D%0A%7F" },
        { "'()*!@:$,;[]\"<>\\^`{|}", "%27%28%29%2A%21%40%3A%24%2C%3B%5B%5D%22%3C%3E%5C%5E%60%7B"
                                     "%7C%7D" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf buf;

        buf_init(&buf, &arena);
        uri_encode(&buf, str_of(cases[i].text));
        assert_string_equal(buf_as_text(&buf), cases[i].expected);
    }
}

static void every_byte_survives_encoding(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 128; c++) {
        char text[] = { 'x', (char)c, 'y' };
        struct buf buf;
        struct str back;

        buf_init(&buf, &arena);
        uri_encode(&buf, (struct str){ text, 3 });
        assert_true(uri_decode(buf_as_str(&buf), &arena, &back));
        assert_true(str_eq(back, (struct str){ text, 3 }));
    }
}

static void parameters(void **state)
{
    static const struct {
        const char *query, *name;
        enum uri_parameter expected;
        const char *value;
    } cases[] = {
        { "active=true", "active", URI_PRESENT, "true" },
        { "a=1&active=true&b=2", "active", URI_PRESENT, "true" },
        { "active=1&active=2", "active", URI_PRESENT, "1" },
        { "active", "active", URI_PRESENT, "" },
        { "active=", "active", URI_PRESENT, "" },
        { "active=a=b", "active", URI_PRESENT, "a=b" },
        { "q=a+b%20c%2B", "q", URI_PRESENT, "a b c+" },
        { "my+name=x", "my name", URI_PRESENT, "x" },
        { "%61ctive=yes", "active", URI_PRESENT, "yes" },
        { "&&x=1&", "x", URI_PRESENT, "1" },
        { "drink=caf%C3%A9", "drink", URI_PRESENT, "café" },
        { "=1", "", URI_PRESENT, "1" },
        { "%zz=1&x=2", "x", URI_PRESENT, "2" },
        { "y=%zz&x=2", "x", URI_PRESENT, "2" },
        { "", "active", URI_ABSENT, "" },
        { "&", "active", URI_ABSENT, "" },
        { "Active=1", "active", URI_ABSENT, "" },
        { "inactive=1", "active", URI_ABSENT, "" },
        { "actives=1", "active", URI_ABSENT, "" },
        { "x=active", "active", URI_ABSENT, "" },
        { "x=1;active=2", "active", URI_ABSENT, "" },
        { "active=%", "active", URI_BROKEN, "" },
        { "active=%zz", "active", URI_BROKEN, "" },
        { "active=%00", "active", URI_BROKEN, "" },
        { "active=%FF&active=1", "active", URI_BROKEN, "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str value;
        enum uri_parameter found =
            uri_parameter(str_of(cases[i].query), cases[i].name, &arena, &value);

        if (found != cases[i].expected) {
            fail_msg("\"%s\": %d instead of %d", cases[i].query, found, cases[i].expected);
        }
        assert_true(found != URI_PRESENT || str_is(value, cases[i].value));
    }
    assert_int_equal(
        uri_parameter((struct str){ NULL, 0 }, "a", &arena, &(struct str){ 0 }), URI_ABSENT);
}

static void mending(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "", "" },
        { "/a/b-._~:@!$&'()*+,;=?x=/?&y", "/a/b-._~:@!$&'()*+,;=?x=/?&y" },
        { "/%41%2f%C3", "/%41%2f%C3" },
        { "%", "%25" },
        { "%4", "%254" },
        { "%zz%4g%%41", "%25zz%254g%25%41" },
        { "/a b\"<>\\^`{|}[]#c", "/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D%23c" },
        { "\r\n\x7f caf\xc3\xa9", "%0D%0A%7F%20caf%C3%A9" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf buf;

        buf_init(&buf, &arena);
        uri_mend(&buf, str_of(cases[i].text));
        assert_string_equal(buf_as_text(&buf), cases[i].expected);
    }
}

static void equivalent_paths_have_one_spelling(void **state)
{
    static const struct {
        const char *path, *expected;
    } cases[] = {
        { "/c/abc", "/c/abc" },
        { "/c/%61b%63", "/c/abc" },
        { "/%2D%2e%5f%7E%30%5A", "/-._~0Z" },
        { "/a%2fb%2Fc", "/a%2Fb%2Fc" },
        { "/%2c%2a%25%00", "/%2C%2A%25%00" },
        { "/%2561", "/%2561" },
        { "/caf%c3%A9", "/caf\xc3\xa9" },
        { "/%6", "/%6" },
        { "/%zz%", "/%zz%" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str path = uri_one_spelling(str_of(cases[i].path), &arena);
        if (!str_is(path, cases[i].expected)) {
            fail_msg("\"%s\": %.*s", cases[i].path, (int)path.len, path.at);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding),
        cmocka_unit_test(decoding_stays_inside_the_text),
        cmocka_unit_test(encoding),
        cmocka_unit_test(every_byte_survives_encoding),
        cmocka_unit_test(mending),
        cmocka_unit_test(parameters),
        cmocka_unit_test(equivalent_paths_have_one_spelling),
    };

    return cmocka_run_group_tests_name("lib/uri", tests, setup, teardown);
}
