/* gateway_bulkhead: so many at once, so many in the queue, in order. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/bulkhead.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { WAITERS = 26 };

static struct bulkhead bulkhead;
static struct bulkhead_settings settings;
static struct bulkhead_waiter waiters[WAITERS];

static int setup(void **state)
{
    (void)state;
    bulkhead = (struct bulkhead){ 0 };
    settings = (struct bulkhead_settings){ .concurrent_max = 2, .queue_max = 3 };
    return 0;
}

static char letter_of(const struct bulkhead_waiter *waiter)
{
    return waiter ? (char)('a' + (waiter - waiters)) : '.';
}

/* Plays "a": a enters, "-": one leaves, "A": a gives up, ">": the bound grows by one. Says what
 * came of it: IN, queued or refused; who came in then, or nobody (.); yes or no. */
static char play(char step)
{
    static const char places[] = {
        [BULKHEAD_IN] = 'i',
        [BULKHEAD_QUEUED] = 'q',
        [BULKHEAD_REFUSED] = 'r',
    };
    if (step == '-')
        bulkhead_leave(&bulkhead);
    if (step == '>')
        settings.concurrent_max++;
    if (step == '-' || step == '>')
        return letter_of(bulkhead_next(&bulkhead, &settings));
    if (step >= 'a')
        return places[bulkhead_enter(&bulkhead, &settings, &waiters[step - 'a'])];
    return bulkhead_cancel(&bulkhead, &waiters[step - 'A']) ? 'y' : 'n';
}

static void who_comes_first_is_served_first(void **state)
{
    static const struct {
        const char *steps, *results;
        int inside, waiting; /* at the end */
    } cases[] = {
        { "ab", "ii", 2, 0 },
        { "abcdef", "iiqqqr", 2, 3 },
        { "abcdef---", "iiqqqrcde", 2, 0 },
        { "abcdef-----", "iiqqqrcde..", 0, 0 },
        { "abcdef-f-", "iiqqqrcqd", 2, 2 }, /* room in the queue again */
        { "abcdeD---", "iiqqqyce.", 1, 0 },
        { "abcdeCE--", "iiqqqyyd.", 1, 0 },
        { "abcdeCDE-f", "iiqqqyyy.i", 2, 0 },
        { "abc-C-", "iiqcn.", 1, 0 }, /* too late to give up */
        { "abcCC", "iiqyn", 2, 0 },
        { "abcdef>>", "iiqqqrcd", 4, 1 },
        { "abc-d", "iiqcq", 2, 1 },
        { "-ab", ".ii", 2, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char results[16] = "";
        setup(NULL);
        for (size_t j = 0; cases[i].steps[j]; j++)
            results[j] = play(cases[i].steps[j]);
        assert_string_equal(results, cases[i].results);
        assert_int_equal(bulkhead.inside, cases[i].inside);
        assert_int_equal(bulkhead.waiting, cases[i].waiting);
    }
}

static void a_lower_bound_lets_nobody_in_before_it_holds(void **state)
{
    (void)state;
    settings.concurrent_max = 3;
    for (const char *step = "abcd"; *step; step++)
        play(*step);
    settings.concurrent_max = 1;
    assert_int_equal(play('-'), '.');
    assert_int_equal(play('-'), '.');
    assert_int_equal(play('-'), 'd');
    assert_int_equal(bulkhead.inside, 1);
}

/* The bound was raised, and nobody has asked bulkhead_next yet. */
static void nobody_passes_those_who_wait(void **state)
{
    (void)state;
    for (const char *step = "abc"; *step; step++)
        play(*step);
    settings.concurrent_max = 4;
    assert_int_equal(play('d'), 'q');
    assert_int_equal(letter_of(bulkhead_next(&bulkhead, &settings)), 'c');
    assert_int_equal(letter_of(bulkhead_next(&bulkhead, &settings)), 'd');
    assert_null(bulkhead_next(&bulkhead, &settings));
}

static void without_a_bound_all_are_in(void **state)
{
    (void)state;
    settings = (struct bulkhead_settings){ 0 };
    for (char step = 'a'; step <= 'z'; step++)
        assert_int_equal(play(step), 'i');
    assert_int_equal(bulkhead.inside, WAITERS);
}

static void without_a_queue_the_next_is_refused(void **state)
{
    (void)state;
    settings.queue_max = 0;
    assert_int_equal(play('a'), 'i');
    assert_int_equal(play('b'), 'i');
    assert_int_equal(play('c'), 'r');
    assert_int_equal(play('-'), '.');
    assert_int_equal(play('c'), 'i');
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(who_comes_first_is_served_first),
        TEST(a_lower_bound_lets_nobody_in_before_it_holds),
        TEST(nobody_passes_those_who_wait),
        TEST(without_a_bound_all_are_in),
        TEST(without_a_queue_the_next_is_refused),
    };

    return cmocka_run_group_tests_name("gateway/bulkhead", tests, NULL, NULL);
}
