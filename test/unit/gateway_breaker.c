/* gateway_breaker: opens, probes, comes back; time is a parameter. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fcgi-gateway/breaker.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define SECOND 1000000LL
#define MS 1000LL

static const struct breaker_settings settings = {
    .failure_percent = 50,
    .calls_min = 20,
    .probes = 3,
    .window_us = 10 * SECOND,
    .open_us = SECOND,
    .ramp_us = SECOND,
};

static struct breaker breaker;

static int setup(void **state)
{
    (void)state;
    breaker = (struct breaker){ 0 };
    return 0;
}

static struct breaker_ticket ask(long long now_us)
{
    return breaker_ask(&breaker, &settings, false, now_us, 0);
}

static bool tell(struct breaker_ticket ticket, bool is_good, long long now_us)
{
    enum breaker_end how = is_good ? BREAKER_GOOD : BREAKER_FAILED;
    return breaker_tell(&breaker, &settings, ticket, how, now_us);
}

static bool tell_silent(struct breaker_ticket ticket, long long now_us)
{
    return breaker_tell(&breaker, &settings, ticket, BREAKER_SILENT, now_us);
}

static void call(int count, bool is_good, long long now_us)
{
    while (count-- > 0)
        tell(ask(now_us), is_good, now_us);
}

static void open_at(long long now_us)
{
    call(settings.calls_min, false, now_us);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void half_open_at(long long now_us, struct breaker_ticket *probes, int count)
{
    open_at(now_us - settings.open_us);
    for (int i = 0; i < count; i++) {
        probes[i] = ask(now_us);
        assert_int_equal(probes[i].as, BREAKER_PROBE);
    }
}

static void a_share_of_enough_calls_in_the_window_opens_it(void **state)
{
    static const struct {
        struct {
            int count, is_good;
            long long at_us;
        } calls[4]; /* in this order */
        enum breaker_state expected;
    } cases[] = {
        { { { 19, false, 0 } }, BREAKER_CLOSED },
        { { { 20, false, 0 } }, BREAKER_OPEN },
        { { { 11, true, 0 }, { 10, false, 0 } }, BREAKER_CLOSED },
        { { { 10, true, 0 }, { 10, false, 0 } }, BREAKER_OPEN },
        /* not on a good one: the service may just be back */
        { { { 19, false, 0 }, { 1, true, 0 } }, BREAKER_CLOSED },
        { { { 19, false, 0 }, { 1, true, 0 }, { 1, false, 0 } }, BREAKER_OPEN },
        { { { 100, true, 0 }, { 99, false, SECOND } }, BREAKER_CLOSED },
        { { { 100, true, 0 }, { 99, false, SECOND }, { 1, false, 9 * SECOND } }, BREAKER_OPEN },
        /* what is older than the window does not count, neither for nor against it */
        { { { 100, true, 0 }, { 19, false, 10 * SECOND } }, BREAKER_CLOSED },
        { { { 100, true, 0 }, { 20, false, 10 * SECOND } }, BREAKER_OPEN },
        { { { 19, false, 0 }, { 1, false, 10 * SECOND } }, BREAKER_CLOSED },
        { { { 19, false, 0 }, { 1, false, 10 * SECOND - 1 } }, BREAKER_OPEN },
        { { { 19, false, 0 }, { 19, false, 1000 * SECOND } }, BREAKER_CLOSED },
        { { { 19, false, SECOND }, { 1, false, 12 * SECOND } }, BREAKER_CLOSED },
        /* a row of failures over 100 ms outweighs the window; one server's last moment does not */
        { { { 1000, true, 0 }, { 19, false, 0 }, { 1, false, 100000 } }, BREAKER_OPEN },
        { { { 1000, true, 0 }, { 200, false, 0 }, { 1, false, 99999 } }, BREAKER_CLOSED },
        { { { 1000, true, 0 }, { 18, false, 0 }, { 1, false, SECOND } }, BREAKER_CLOSED },
        { { { 1000, true, 0 }, { 19, false, 0 }, { 1, true, 0 }, { 19, false, SECOND } },
            BREAKER_CLOSED },
        /* one thread's clock was read before another's */
        { { { 10, false, 11 * SECOND }, { 10, false, SECOND } }, BREAKER_OPEN },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        breaker = (struct breaker){ 0 };
        for (size_t j = 0; j < COUNT(cases[i].calls); j++)
            call(cases[i].calls[j].count, cases[i].calls[j].is_good, cases[i].calls[j].at_us);
        if (breaker.state != cases[i].expected)
            fail_msg("case %zu: %s", i, breaker_state_name(breaker.state));
    }
}

static void the_edge_learns_of_every_change_once(void **state)
{
    struct breaker_ticket ticket;
    (void)state;
    call(19, false, 0);
    ticket = ask(0);
    assert_false(ticket.has_changed);
    assert_true(tell(ticket, false, 0));
    ticket = ask(SECOND);
    assert_true(ticket.has_changed);
    assert_false(tell(ticket, true, SECOND));
    ticket = ask(SECOND);
    assert_false(ticket.has_changed);
    assert_false(tell(ticket, true, SECOND));
    assert_true(tell(ask(SECOND), true, SECOND));
    assert_int_equal(breaker.state, BREAKER_RAMP);
    assert_true(ask(2 * SECOND).has_changed);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_false(ask(2 * SECOND).has_changed);
}

static void open_refuses_and_says_for_how_long(void **state)
{
    struct breaker_ticket ticket;
    (void)state;
    open_at(5 * SECOND);
    ticket = ask(5 * SECOND + 250000);
    assert_int_equal(ticket.as, BREAKER_REFUSED);
    assert_int_equal(ticket.retry_after_us, 750000);
    ticket = ask(6 * SECOND - 1);
    assert_int_equal(ticket.as, BREAKER_REFUSED);
    assert_int_equal(ticket.retry_after_us, 1);
    assert_int_equal(ask(6 * SECOND).as, BREAKER_PROBE);
}

static void half_open_lets_only_the_probes_through(void **state)
{
    struct breaker_ticket probes[3], other;
    (void)state;
    half_open_at(2 * SECOND, probes, 3);
    other = ask(2 * SECOND + 400000);
    assert_int_equal(other.as, BREAKER_REFUSED);
    assert_int_equal(other.retry_after_us, 600000);
    tell(probes[0], true, 2 * SECOND + 400000);
    assert_int_equal(ask(2 * SECOND + 400000).as, BREAKER_REFUSED);
    tell(probes[1], true, 2 * SECOND + 400000);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    tell(probes[2], true, 2 * SECOND + 400000);
    assert_int_equal(breaker.state, BREAKER_RAMP);
}

static void a_probe_that_fails_opens_it_again(void **state)
{
    struct breaker_ticket probes[3];
    (void)state;
    half_open_at(2 * SECOND, probes, 3);
    tell(probes[0], true, 2 * SECOND);
    assert_true(tell(probes[1], false, 2 * SECOND + 10));
    assert_int_equal(ask(3 * SECOND).as, BREAKER_REFUSED);
    assert_false(tell(probes[2], true, 3 * SECOND));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(ask(3 * SECOND + 10).as, BREAKER_PROBE);
}

static void a_probe_that_is_forgotten_makes_room(void **state)
{
    struct breaker_ticket probes[3];
    (void)state;
    half_open_at(2 * SECOND, probes, 3);
    assert_int_equal(ask(2 * SECOND).as, BREAKER_REFUSED);
    breaker_forget(&breaker, probes[1]);
    assert_int_equal(ask(2 * SECOND).as, BREAKER_PROBE);
    assert_int_equal(ask(2 * SECOND).as, BREAKER_REFUSED);
}

static void a_probe_that_never_comes_back_blocks_for_a_time_only(void **state)
{
    struct breaker_ticket lost[3], probe;
    (void)state;
    half_open_at(2 * SECOND, lost, 3);
    assert_int_equal(ask(3 * SECOND - 1).as, BREAKER_REFUSED);
    for (int i = 0; i < 3; i++) {
        probe = ask(3 * SECOND);
        assert_int_equal(probe.as, BREAKER_PROBE);
        tell(probe, true, 3 * SECOND);
    }
    assert_int_equal(breaker.state, BREAKER_RAMP);
}

/* Each of its replies takes longer than `open_us`: it would never come back. */
static void a_service_slower_than_the_probes_patience_comes_back(void **state)
{
    struct breaker_ticket slow[3];
    (void)state;
    half_open_at(2 * SECOND, slow, 3);
    assert_int_equal(ask(3 * SECOND).as, BREAKER_PROBE);
    for (int i = 0; i < 3; i++)
        tell(slow[i], true, 4 * SECOND);
    assert_int_equal(breaker.state, BREAKER_RAMP);
}

static void probes_written_off_make_no_room_twice(void **state)
{
    struct breaker_ticket lost[3];
    (void)state;
    half_open_at(2 * SECOND, lost, 3);
    assert_int_equal(ask(3 * SECOND).as, BREAKER_PROBE);
    for (int i = 0; i < 3; i++)
        breaker_forget(&breaker, lost[i]);
    assert_int_equal(ask(3 * SECOND).as, BREAKER_REFUSED);
}

static void after_lost_probes_it_asks_one_at_a_time_until_one_is_good(void **state)
{
    struct breaker_ticket lost[3], probe;
    (void)state;
    half_open_at(2 * SECOND, lost, 3);
    for (int second = 3; second < 5; second++) {
        probe = ask(second * SECOND);
        assert_int_equal(probe.as, BREAKER_PROBE);
        assert_int_equal(ask(second * SECOND + 1).as, BREAKER_REFUSED);
    }
    tell(probe, true, 4 * SECOND + 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(ask(4 * SECOND + 3).as, BREAKER_PROBE);
    assert_int_equal(ask(4 * SECOND + 3).as, BREAKER_REFUSED);
}

static void calls_from_before_it_opened_do_not_disturb(void **state)
{
    struct breaker_ticket late[4], probes[3];
    (void)state;
    for (int i = 0; i < 4; i++)
        late[i] = ask(0);
    half_open_at(2 * SECOND, probes, 2);
    assert_false(tell(late[0], false, 2 * SECOND));
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_false(tell(late[1], true, 2 * SECOND));
    breaker_forget(&breaker, late[2]);
    probes[2] = ask(2 * SECOND);
    assert_int_equal(probes[2].as, BREAKER_PROBE);
    assert_int_equal(ask(2 * SECOND).as, BREAKER_REFUSED);
    for (int i = 0; i < 3; i++)
        tell(probes[i], true, 2 * SECOND);
    assert_int_equal(breaker.state, BREAKER_RAMP);
    tell(late[3], false, 2 * SECOND);
    call(19, false, 2 * SECOND);
    assert_int_equal(breaker.state, BREAKER_RAMP); /* 20 with the late one */
}

static void a_refused_call_that_is_told_changes_nothing(void **state)
{
    struct breaker_ticket probes[3], refused;
    (void)state;
    half_open_at(2 * SECOND, probes, 3);
    refused = ask(2 * SECOND);
    assert_false(tell(refused, false, 2 * SECOND));
    breaker_forget(&breaker, refused);
    assert_int_equal(ask(2 * SECOND).as, BREAKER_REFUSED);
}

static enum breaker_admission ask_unsafe(long long now_us)
{
    return breaker_ask(&breaker, &settings, true, now_us, 0).as;
}

static void what_changes_something_is_a_probe_only_where_nothing_else_is(void **state)
{
    struct breaker_ticket probe;
    (void)state;
    open_at(SECOND);
    assert_int_equal(ask_unsafe(2 * SECOND), BREAKER_REFUSED);
    assert_int_equal(ask(2 * SECOND + 200 * MS).as, BREAKER_PROBE);
    assert_int_equal(ask_unsafe(2 * SECOND + 449 * MS), BREAKER_REFUSED);
    assert_int_equal(ask_unsafe(2 * SECOND + 450 * MS), BREAKER_PROBE);
    assert_int_equal(ask_unsafe(2 * SECOND + 450 * MS), BREAKER_REFUSED);
    probe = ask(2 * SECOND + 450 * MS);
    assert_int_equal(ask_unsafe(2 * SECOND + 450 * MS), BREAKER_REFUSED);
    tell(probe, true, 2 * SECOND + 460 * MS);
    assert_int_equal(ask_unsafe(9 * SECOND), BREAKER_PROBE);
}

/* Nobody asked when it might have been probed: the first to come need not wait. */
static void what_changes_something_and_comes_rarely_is_no_victim(void **state)
{
    (void)state;
    open_at(SECOND);
    assert_int_equal(ask_unsafe(60 * SECOND), BREAKER_PROBE);
}

static void the_ramp_admits_a_growing_share(void **state)
{
    static const struct {
        long long after_us;
        double draw;
        enum breaker_admission expected;
        long long retry_after_us;
    } cases[] = {
        { 0, 0.09, BREAKER_NORMAL, 0 },
        { 0, 0.11, BREAKER_REFUSED, SECOND },
        { 500000, 0.54, BREAKER_NORMAL, 0 },
        { 500000, 0.56, BREAKER_REFUSED, 500000 },
        { 999999, 0.99, BREAKER_NORMAL, 0 },
        { SECOND, 0.9999, BREAKER_NORMAL, 0 },
    };
    struct breaker_ticket probes[3];
    (void)state;
    half_open_at(2 * SECOND, probes, 3);
    for (int i = 0; i < 3; i++)
        tell(probes[i], true, 2 * SECOND);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct breaker_ticket ticket =
            breaker_ask(&breaker, &settings, false, 2 * SECOND + cases[i].after_us, cases[i].draw);
        assert_int_equal(ticket.as, cases[i].expected);
        assert_int_equal(ticket.retry_after_us, cases[i].retry_after_us);
    }
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void failures_in_the_ramp_open_it_again(void **state)
{
    struct breaker_ticket probes[3];
    (void)state;
    half_open_at(2 * SECOND, probes, 3);
    for (int i = 0; i < 3; i++)
        tell(probes[i], true, 2 * SECOND);
    call(20, false, 2 * SECOND + 100000);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void who_only_looks_sees_the_time_pass(void **state)
{
    struct breaker_ticket probes[3];
    (void)state;
    open_at(SECOND);
    assert_int_equal(breaker_state_at(&breaker, &settings, 2 * SECOND - 1), BREAKER_OPEN);
    assert_int_equal(breaker_state_at(&breaker, &settings, 2 * SECOND), BREAKER_HALF_OPEN);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    for (int i = 0; i < 3; i++)
        probes[i] = ask(2 * SECOND);
    for (int i = 0; i < 3; i++)
        tell(probes[i], true, 2 * SECOND);
    assert_int_equal(breaker_state_at(&breaker, &settings, 3 * SECOND - 1), BREAKER_RAMP);
    assert_int_equal(breaker_state_at(&breaker, &settings, 3 * SECOND), BREAKER_CLOSED);
}

#define TIMEOUT (5 * SECOND)

/* Callers who ask again as soon as they have an answer, a refused one after 100 ms. The service
 * answers in 10 ms, and nothing any more after `frozen_us`. */
struct crowd {
    int count;
    long long frozen_us;
    struct {
        struct breaker_ticket ticket;
        long long due_us;
    } callers[64];
};

static void ask_again(struct crowd *crowd, int i, long long now_us)
{
    struct breaker_ticket ticket = breaker_ask(&breaker, &breaker_defaults, false, now_us, 0);
    long long takes_us = now_us + 10 * MS < crowd->frozen_us ? 10 * MS : TIMEOUT;
    crowd->callers[i].ticket = ticket;
    crowd->callers[i].due_us = now_us + (ticket.as == BREAKER_REFUSED ? 100 * MS : takes_us);
}

static void end_call(struct crowd *crowd, int i, long long now_us)
{
    struct breaker_ticket ticket = crowd->callers[i].ticket;
    bool is_good = now_us - ticket.asked_us < TIMEOUT;
    if (ticket.as != BREAKER_REFUSED)
        breaker_tell(
            &breaker, &breaker_defaults, ticket, is_good ? BREAKER_GOOD : BREAKER_SILENT, now_us);
}

/* Until it opens, or until_us; returns when. */
static long long play(struct crowd *crowd, long long now_us, long long until_us)
{
    while (now_us < until_us) {
        int next = 0;
        for (int i = 1; i < crowd->count; i++)
            if (crowd->callers[i].due_us < crowd->callers[next].due_us)
                next = i;
        now_us = crowd->callers[next].due_us;
        unsigned generation = breaker.generation;
        end_call(crowd, next, now_us);
        if (breaker.generation != generation)
            return now_us;
        ask_again(crowd, next, now_us);
    }
    return until_us;
}

static void a_frozen_service_opens_it_with_the_first_wave_of_timeouts(void **state)
{
    static const struct {
        int callers;
        long long spread_us, within_us;
    } cases[] = {
        { 1, 0, 3 * TIMEOUT },
        { 2, 0, 2 * TIMEOUT },
        { 3, 0, TIMEOUT },
        { 9, 0, TIMEOUT },
        { 9, 300 * MS, TIMEOUT },
        { 30, 0, TIMEOUT },
        { 30, 100 * MS, TIMEOUT },
        { 64, 1, TIMEOUT },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct crowd crowd = { .count = cases[i].callers, .frozen_us = 100 * SECOND };
        breaker = (struct breaker){ 0 };
        for (int j = 0; j < crowd.count; j++)
            crowd.callers[j].due_us = 80 * SECOND + j * cases[i].spread_us;
        long long opened_us = play(&crowd, 0, 200 * SECOND) - crowd.frozen_us;
        if (opened_us > cases[i].within_us)
            fail_msg("case %zu: after %lld ms", i, opened_us / MS);
    }
}

/* What a user at three in the morning sees: most get their answer at once. */
static void a_frozen_service_keeps_few_callers_waiting(void **state)
{
    struct crowd crowd = { .count = 30, .frozen_us = 100 * SECOND };
    int waiting = 0, looks = 0;
    (void)state;
    for (int i = 0; i < crowd.count; i++)
        crowd.callers[i].due_us = 90 * SECOND;
    long long now_us = play(&crowd, 0, 200 * SECOND);
    while (now_us < 200 * SECOND) {
        play(&crowd, now_us, now_us + 100 * MS);
        now_us += 100 * MS;
        looks++;
        for (int i = 0; i < crowd.count; i++)
            waiting += crowd.callers[i].ticket.as != BREAKER_REFUSED;
    }
    print_message("# %.1f of 30 callers wait\n", (double)waiting / looks);
    assert_true(waiting <= 5 * looks);
}

static void timeouts_beside_good_replies_are_no_silence(void **state)
{
    (void)state;
    for (long long now_us = 0; now_us < 100 * SECOND; now_us += SECOND) {
        struct breaker_ticket slow = ask(now_us);
        call(2, true, now_us + SECOND);
        tell_silent(slow, now_us + TIMEOUT);
        assert_int_equal(breaker.state, BREAKER_CLOSED);
    }
}

static void a_short_silence_may_be_chance(void **state)
{
    (void)state;
    struct breaker_ticket late[4];
    for (int i = 0; i < 4; i++)
        late[i] = ask(0);
    call(1, true, 4 * SECOND);
    for (int i = 0; i < 3; i++)
        tell_silent(late[i], 5 * SECOND);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    tell_silent(late[3], 6 * SECOND);
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void timeouts_with_long_pauses_between_are_no_row(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        tell_silent(ask(i * 20 * SECOND), i * 20 * SECOND + TIMEOUT);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void another_window_counts_from_the_beginning(void **state)
{
    static const long long windows[] = { 1 * SECOND, 60 * SECOND, 10 * SECOND };
    (void)state;
    for (size_t i = 0; i < COUNT(windows); i++) {
        struct breaker_settings other = settings;
        other.window_us = windows[i];
        long long now_us = 1000 * SECOND;
        breaker = (struct breaker){ 0 };
        call(100, true, now_us);
        for (int j = 0; j < 20; j++) {
            assert_int_equal(breaker.state, BREAKER_CLOSED);
            breaker_tell(&breaker, &other, ask(now_us), BREAKER_FAILED, now_us);
        }
        assert_int_equal(
            breaker.state, windows[i] == settings.window_us ? BREAKER_CLOSED : BREAKER_OPEN);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_share_of_enough_calls_in_the_window_opens_it),
        TEST(the_edge_learns_of_every_change_once),
        TEST(open_refuses_and_says_for_how_long),
        TEST(half_open_lets_only_the_probes_through),
        TEST(a_probe_that_fails_opens_it_again),
        TEST(a_probe_that_is_forgotten_makes_room),
        TEST(a_probe_that_never_comes_back_blocks_for_a_time_only),
        TEST(a_service_slower_than_the_probes_patience_comes_back),
        TEST(probes_written_off_make_no_room_twice),
        TEST(calls_from_before_it_opened_do_not_disturb),
        TEST(a_refused_call_that_is_told_changes_nothing),
        TEST(after_lost_probes_it_asks_one_at_a_time_until_one_is_good),
        TEST(what_changes_something_is_a_probe_only_where_nothing_else_is),
        TEST(what_changes_something_and_comes_rarely_is_no_victim),
        TEST(the_ramp_admits_a_growing_share),
        TEST(failures_in_the_ramp_open_it_again),
        TEST(who_only_looks_sees_the_time_pass),
        TEST(a_frozen_service_opens_it_with_the_first_wave_of_timeouts),
        TEST(a_frozen_service_keeps_few_callers_waiting),
        TEST(timeouts_beside_good_replies_are_no_silence),
        TEST(a_short_silence_may_be_chance),
        TEST(timeouts_with_long_pauses_between_are_no_row),
        TEST(another_window_counts_from_the_beginning),
    };

    return cmocka_run_group_tests_name("gateway/breaker", tests, NULL, NULL);
}
