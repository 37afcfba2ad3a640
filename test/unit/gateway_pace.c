/* gateway_pace: shares and pauses that grow or shrink with time. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fcgi-gateway/pace.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static int thousandths(double share)
{
    return (int)(share * 1000 + 0.5);
}

static void a_ramp_grows_from_a_tenth_to_all(void **state)
{
    static const struct {
        long long since_us, ramp_us, now_us;
        int share;
    } cases[] = {
        { 1000, 1000, 1000, 100 },
        { 1000, 1000, 900, 100 }, /* a clock read before the lock was had */
        { 1000, 1000, 1500, 550 },
        { 1000, 1000, 1999, 999 },
        { 1000, 1000, 2000, 1000 },
        { 1000, 0, 1000, 1000 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(
            thousandths(pace_ramp(cases[i].since_us, cases[i].ramp_us, cases[i].now_us)),
            cases[i].share);
}

static void what_decays_halves_and_ends(void **state)
{
    static const struct {
        long long half_us, elapsed_us;
        int left;
    } cases[] = {
        { 1000, -5, 1000 },
        { 1000, 0, 1000 },
        { 1000, 500, 750 },
        { 1000, 1000, 500 },
        { 1000, 3000, 125 },
        { 1000, INT64_MAX, 0 },
        { 0, 1, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(
            thousandths(pace_decay(cases[i].half_us, cases[i].elapsed_us)), cases[i].left);
}

static void doubling_ends_at_the_most(void **state)
{
    static const struct {
        long long base_us, max_us;
        int times;
        long long result_us;
    } cases[] = {
        { 100, 1000, -1, 100 },
        { 100, 1000, 0, 100 },
        { 100, 1000, 3, 800 },
        { 100, 1000, 4, 1000 },
        { 100, INT64_MAX, 1000, INT64_MAX },
        { 2000, 1000, 0, 1000 },
        { 0, 1000, 3, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(
            pace_double(cases[i].base_us, cases[i].max_us, cases[i].times), cases[i].result_us);
}

static void a_pause_is_anything_up_to_the_doubled_base(void **state)
{
    (void)state;
    assert_int_equal(pace_backoff(100, 1000, 1, 0), 0);
    assert_int_equal(pace_backoff(100, 1000, 1, 0.5), 50);
    assert_int_equal(pace_backoff(100, 1000, 3, 0.5), 200);
    assert_in_range(pace_backoff(100, 1000, 30, 0.999), 998, 999);
}

static void an_interval_is_up_to_a_tenth_off(void **state)
{
    (void)state;
    assert_int_equal(pace_interval(1000, 0), 900);
    assert_int_equal(pace_interval(1000, 0.5), 1000);
    assert_in_range(pace_interval(1000, 0.9999), 1099, 1100);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ramp_grows_from_a_tenth_to_all),
        cmocka_unit_test(what_decays_halves_and_ends),
        cmocka_unit_test(doubling_ends_at_the_most),
        cmocka_unit_test(a_pause_is_anything_up_to_the_doubled_base),
        cmocka_unit_test(an_interval_is_up_to_a_tenth_off),
    };

    return cmocka_run_group_tests_name("gateway/pace", tests, NULL, NULL);
}
