/* lib_page: limit and after, and the link to the next page. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/page.h"

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

static void parameters(void **state)
{
    static const struct {
        const char *query, *wrong; /* the parameter that is named; NULL: none */
        int64_t limit, after;
    } cases[] = {
        { "", NULL, 100, 0 },
        { "a=b", NULL, 100, 0 },
        { "limit=1", NULL, 1, 0 },
        { "limit=1000&after=5", NULL, 1000, 5 },
        { "after=9223372036854775807", NULL, 100, INT64_MAX },
        { "limit=007&limit=x", NULL, 7, 0 }, /* the first one counts */
        { "limit=%31%30", NULL, 10, 0 },
        { "limit=0", "limit", 0, 0 },
        { "limit=1001", "limit", 0, 0 },
        { "limit=-1", "limit", 0, 0 },
        { "limit=+5", "limit", 0, 0 },
        { "limit=", "limit", 0, 0 },
        { "limit", "limit", 0, 0 },
        { "limit=1.5", "limit", 0, 0 },
        { "limit=1e2", "limit", 0, 0 },
        { "limit=99999999999999999999", "limit", 0, 0 },
        { "limit=%ff", "limit", 0, 0 },
        { "after=", "after", 0, 0 },
        { "after=-1", "after", 0, 0 },
        { "after=x", "after", 0, 0 },
        { "after=9223372036854775808", "after", 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct page page;
        const char *wrong = page_read(str_of(cases[i].query), &arena, &page);
        if (cases[i].wrong) {
            if (!wrong || strncmp(wrong, cases[i].wrong, 5) != 0)
                fail_msg("%s: %s", cases[i].query, wrong);
        } else if (wrong || page.limit != cases[i].limit || page.after != cases[i].after) {
            fail_msg("%s: %s, %d", cases[i].query, wrong, (int)page.limit);
        }
    }
}

static void links(void **state)
{
    static const struct {
        const char *path, *query, *expected;
    } cases[] = {
        { "/users", "", "</users?after=7>; rel=\"next\"" },
        { "/users", "limit=2", "</users?limit=2&after=7>; rel=\"next\"" },
        { "/users", "after=5&limit=2", "</users?limit=2&after=7>; rel=\"next\"" },
        { "/users", "limit=2&after=5", "</users?limit=2&after=7>; rel=\"next\"" },
        { "/users", "after=1&%61fter=2&after", "</users?after=7>; rel=\"next\"" },
        { "/users", "&&a=b&", "</users?a=b&after=7>; rel=\"next\"" },
        { "/users", "a=%20+c;d", "</users?a=%20+c;d&after=7>; rel=\"next\"" },
        { "/orders/category/%22", "x=<>\"\\^`{|}",
            "</orders/category/%22?x=%3C%3E%22%5C%5E%60%7B%7C%7D&after=7>; rel=\"next\"" },
        { "/caf\xC3\xA9", "", "</caf%C3%A9?after=7>; rel=\"next\"" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf link;
        buf_init(&link, &arena);
        page_link(&link, str_of(cases[i].path), str_of(cases[i].query), 7);
        assert_string_equal(buf_as_text(&link), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(links, setup, teardown),
    };

    return cmocka_run_group_tests_name("lib/page", tests, NULL, NULL);
}
