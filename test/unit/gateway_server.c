/* gateway_server: in and out by checks and calls, ramps, averages; time is a parameter. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fcgi-gateway/server.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define SECOND 1000000LL
#define MS 1000LL

static const struct server_settings settings = {
    .fall = 3,
    .rise = 2,
    .ejection_failures = 5,
    .ejected_percent = 50,
    .ejection_us = SECOND,
    .ejection_max_us = 8 * SECOND,
    .calm_us = 10 * SECOND,
    .ramp_us = SECOND,
    .half_us = SECOND,
    .failure_us = SECOND,
};

static struct server servers[4];
static struct server *const pointers[4] = { &servers[0], &servers[1], &servers[2], &servers[3] };
static struct server *const server = &servers[0];
static struct server_list list;

static int setup(void **state)
{
    (void)state;
    list = (struct server_list){ pointers, 4 };
    for (int i = 0; i < 4; i++)
        server_init(&servers[i], 1, (uint64_t)i);
    return 0;
}

static bool end(struct server *of, bool is_good, long long started_us, long long now_us)
{
    struct server_result result = { started_us, now_us - started_us, is_good };
    return server_end(of, &settings, list, result, now_us);
}

static bool call(struct server *of, int count, bool is_good, long long now_us)
{
    bool has_changed = false;
    while (count-- > 0) {
        server_begin(of, &settings, now_us);
        has_changed = end(of, is_good, now_us, now_us);
    }
    return has_changed;
}

static enum server_state state_at(long long now_us)
{
    return server_state(server, &settings, now_us);
}

static int percent_at(long long now_us)
{
    return (int)(server_share(server, &settings, now_us) * 100 + 0.5);
}

/* '+' and '-' are good and bad checks, one per second; the states after each of them. */
static void checks_in_a_row_decide(void **state)
{
    static const struct {
        const char *checks, *expected;
    } cases[] = {
        { "+++", "uuu" },
        { "--+--+", "uuuuuu" },
        { "---", "uud" },
        { "----+-+", "uuddddd" },
        { "---++", "uuddr" },
        { "---++++", "uuddruu" }, /* the ramp takes a second */
        { "---++---", "uuddruud" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum server_state before = SERVER_UP;
        server_init(server, 1, 0);
        for (size_t at = 0; cases[i].checks[at]; at++) {
            long long now_us = (long long)at * SECOND;
            bool has_changed = server_check(server, &settings, cases[i].checks[at] == '+', now_us);
            enum server_state after = state_at(now_us);
            if (server_state_name(after)[0] != cases[i].expected[at])
                fail_msg("%s: %s after %zu", cases[i].checks, server_state_name(after), at + 1);
            assert_int_equal(has_changed, (before == SERVER_DOWN) != (after == SERVER_DOWN));
            before = after;
        }
    }
}

static void failed_calls_in_a_row_eject(void **state)
{
    (void)state;
    call(server, 4, false, 0);
    call(server, 1, true, 0);
    assert_false(call(server, 4, false, 0));
    assert_int_equal(state_at(0), SERVER_UP);
    assert_true(call(server, 1, false, 0));
    assert_int_equal(state_at(0), SERVER_EJECTED);
    assert_int_equal(percent_at(0), 0);
    assert_int_equal(state_at(SECOND), SERVER_TRIAL);
}

static void a_trial_is_one_call_at_a_time(void **state)
{
    (void)state;
    call(server, 5, false, 0);
    assert_int_equal(percent_at(SECOND), 10);
    server_begin(server, &settings, SECOND);
    assert_int_equal(percent_at(SECOND), 0);
    assert_int_equal(percent_at(2 * SECOND - 1), 0);
    assert_int_equal(percent_at(2 * SECOND), 10); /* the first one may be lost */
    assert_true(end(server, true, SECOND, 2 * SECOND));
    assert_int_equal(state_at(2 * SECOND), SERVER_RAMP);
}

static void ejections_grow_and_are_forgotten(void **state)
{
    /* each follows the failed trial right at the end of the last; then calm, then one more */
    static const int growing_s[] = { 1, 2, 4, 8, 8, 8 };
    static const struct {
        long long calm_s, ejected_s;
    } cases[] = { { 9, 8 }, { 10, 4 }, { 20, 2 }, { 30, 1 }, { 100000, 1 } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        long long now_us = 0;
        setup(NULL);
        call(server, 4, false, 0);
        for (size_t j = 0; j < COUNT(growing_s); j++) {
            call(server, 1, false, now_us);
            now_us += growing_s[j] * SECOND;
            assert_int_equal(state_at(now_us - 1), SERVER_EJECTED);
            assert_int_equal(state_at(now_us), SERVER_TRIAL);
        }
        call(server, 1, true, now_us);
        now_us += cases[i].calm_s * SECOND;
        call(server, 5, false, now_us);
        assert_int_equal(server->ejected_until_us, now_us + cases[i].ejected_s * SECOND);
    }
}

static void never_more_than_a_share_is_ejected(void **state)
{
    static const struct {
        int count, draining, ejected;
    } cases[] = { { 1, 0, 0 }, { 2, 0, 1 }, { 3, 0, 1 }, { 4, 0, 2 }, { 4, 1, 1 }, { 2, 1, 0 } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int ejected = 0;
        setup(NULL);
        list.count = cases[i].count;
        for (int j = 0; j < cases[i].draining; j++)
            servers[list.count - 1 - j].is_draining = true;
        for (int j = 0; j < list.count; j++)
            call(&servers[j], 10, false, 0);
        for (int j = 0; j < list.count; j++)
            ejected += server_state(&servers[j], &settings, 0) == SERVER_EJECTED;
        if (ejected != cases[i].ejected)
            fail_msg("%d of %d", ejected, cases[i].count);
    }
}

static void who_is_on_trial_counts_as_ejected(void **state)
{
    (void)state;
    list.count = 2;
    call(&servers[1], 5, false, 0);
    call(server, 5, false, SECOND);
    assert_int_equal(state_at(SECOND), SERVER_UP);
    call(&servers[1], 1, true, SECOND);
    call(server, 1, false, SECOND);
    assert_int_equal(state_at(SECOND), SERVER_EJECTED);
}

static void calls_from_before_it_went_out_say_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        server_begin(server, &settings, 0);
    for (int i = 0; i < 5; i++)
        end(server, false, 0, 5 * SECOND);
    assert_int_equal(state_at(5 * SECOND), SERVER_EJECTED);
    assert_false(end(server, true, 0, 5 * SECOND + 1));
    assert_int_equal(state_at(5 * SECOND + 1), SERVER_EJECTED);
    for (int i = 0; i < 14; i++) /* in the trial's time */
        assert_false(end(server, false, 0, 6 * SECOND));
    assert_int_equal(state_at(6 * SECOND), SERVER_TRIAL);
    assert_int_equal((int)server_average(server, &settings, 6 * SECOND), 0);
    assert_int_equal(server->under_way, 0);
}

static void a_wrong_check_is_found_out_by_good_calls(void **state)
{
    (void)state;
    server_begin(server, &settings, 0);
    for (int i = 0; i < 3; i++)
        server_check(server, &settings, false, SECOND);
    assert_false(end(server, true, 0, SECOND)); /* from before */
    assert_false(call(server, 1, true, 2 * SECOND));
    assert_int_equal(state_at(2 * SECOND), SERVER_DOWN);
    assert_true(call(server, 1, true, 2 * SECOND));
    assert_int_equal(state_at(2 * SECOND), SERVER_RAMP);
}

static void bad_calls_to_one_that_is_down_change_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        server_check(server, &settings, false, 0);
    assert_false(call(server, 10, false, 0));
    assert_false(server_check(server, &settings, true, SECOND));
    assert_true(server_check(server, &settings, true, SECOND));
    assert_int_equal(state_at(SECOND), SERVER_RAMP);
}

static void good_checks_end_an_ejection_of_one_that_was_down(void **state)
{
    (void)state;
    call(server, 5, false, 0);
    server_check(server, &settings, true, 0); /* a check that lies ends nothing */
    server_check(server, &settings, true, 0);
    assert_int_equal(state_at(0), SERVER_EJECTED);
    for (int i = 0; i < 3; i++)
        server_check(server, &settings, false, 0);
    assert_int_equal(state_at(SECOND), SERVER_DOWN);
    server_check(server, &settings, true, 10);
    server_check(server, &settings, true, 10);
    assert_int_equal(state_at(10), SERVER_RAMP);
}

static void who_comes_back_gets_its_share_in_a_ramp(void **state)
{
    (void)state;
    assert_int_equal(percent_at(0), 100);
    server_ramp(server, SECOND);
    assert_int_equal(percent_at(SECOND), 10);
    assert_int_equal(percent_at(SECOND + 500 * MS), 55);
    assert_int_equal(state_at(2 * SECOND - 1), SERVER_RAMP);
    assert_int_equal(percent_at(2 * SECOND), 100);
    assert_int_equal(state_at(2 * SECOND), SERVER_UP);
}

static void a_draining_server_gets_nothing_new(void **state)
{
    (void)state;
    server_begin(server, &settings, 0);
    server->is_draining = true;
    assert_int_equal(state_at(0), SERVER_DRAINING);
    assert_int_equal(percent_at(0), 0);
    assert_int_equal(server->under_way, 1);
    server_forget(server);
    assert_int_equal(server->under_way, 0);
    server_forget(server);
    assert_int_equal(server->under_way, 0);
}

static void the_average_rises_at_once_and_falls_slowly(void **state)
{
    static const struct {
        long long now_us, took_us; /* 0: only look */
        bool is_good;
        long long average_us;
    } steps[] = {
        { 0, 0, true, 0 },
        { 0, 10 * MS, true, 10 * MS },
        { 0, 40 * MS, true, 40 * MS },
        { 0, 10 * MS, true, 40 * MS },
        { SECOND, 10 * MS, true, 25 * MS }, /* half of the old, half of the new */
        { 2 * SECOND, 0, true, 12500 },
        { 2 * SECOND, 20 * MS, true, 20 * MS },
        { 2 * SECOND, 1 * MS, false, SECOND }, /* failing is not fast */
        { 2 * SECOND, 1 * MS, false, SECOND }, /* nor ever slower */
        { 2 * SECOND, 9 * SECOND, false, 9 * SECOND },
        { 2 * SECOND, 1 * MS, false, 9 * SECOND }, /* nor fast for who is slow anyway */
        { 3 * SECOND, 0, true, 4500 * MS },
        { 100 * SECOND, 0, true, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        if (steps[i].took_us) {
            struct server_result result = { steps[i].now_us, steps[i].took_us, steps[i].is_good };
            server_begin(server, &settings, steps[i].now_us);
            server_end(server, &settings, list, result, steps[i].now_us);
        }
        assert_int_equal(
            (long long)server_average(server, &settings, steps[i].now_us), steps[i].average_us);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(checks_in_a_row_decide),
        TEST(failed_calls_in_a_row_eject),
        TEST(a_trial_is_one_call_at_a_time),
        TEST(ejections_grow_and_are_forgotten),
        TEST(never_more_than_a_share_is_ejected),
        TEST(who_is_on_trial_counts_as_ejected),
        TEST(calls_from_before_it_went_out_say_nothing),
        TEST(a_wrong_check_is_found_out_by_good_calls),
        TEST(bad_calls_to_one_that_is_down_change_nothing),
        TEST(good_checks_end_an_ejection_of_one_that_was_down),
        TEST(who_comes_back_gets_its_share_in_a_ramp),
        TEST(a_draining_server_gets_nothing_new),
        TEST(the_average_rises_at_once_and_falls_slowly),
    };

    return cmocka_run_group_tests_name("gateway/server", tests, NULL, NULL);
}
