/* gateway_quantity: durations and sizes are written as the file would say them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fcgi-gateway/quantity.h"

struct check {
    int64_t number;
    const char *expected;
};

static void durations_have_the_largest_unit_that_fits(void **state)
{
    static const struct check checks[] = {
        { 0, "0ms" },
        { 1, "1ms" },
        { 1500, "1500ms" },
        { 5000, "5s" },
        { 90000, "90s" },
        { 120000, "2min" },
        { 3600000, "1h" },
        { 24 * 3600000, "24h" },
    };
    struct arena arena;
    (void)state;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        assert_string_equal(quantity_duration(&arena, checks[i].number), checks[i].expected);
    arena_clear(&arena);
}

static void sizes_have_the_largest_unit_that_fits(void **state)
{
    static const struct check checks[] = {
        { 0, "0B" },
        { 512, "512B" },
        { 1024, "1KiB" },
        { 1536, "1536B" },
        { 10 * 1024 * 1024, "10MiB" },
        { INT64_C(3) << 30, "3GiB" },
        { INT64_MAX, "9223372036854775807B" },
    };
    struct arena arena;
    (void)state;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        assert_string_equal(quantity_size(&arena, checks[i].number), checks[i].expected);
    arena_clear(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_the_largest_unit_that_fits),
        cmocka_unit_test(sizes_have_the_largest_unit_that_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
