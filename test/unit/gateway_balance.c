/* gateway_balance: which server gets a call; chance and time are parameters. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/balance.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define SECOND 1000000LL
#define MS 1000LL

enum { SERVERS = 5, KEYS = 20000 };

static struct balance_settings settings;
static struct server servers[SERVERS];
static struct server *const pointers[SERVERS] = { &servers[0], &servers[1], &servers[2],
    &servers[3], &servers[4] };
static struct server_list list;
static uint64_t seed;
static bool is_unsafe; /* what is asked */

static int setup(void **state)
{
    static const char *const addresses[SERVERS] = { "http://10.0.0.1:80", "http://10.0.0.2:80",
        "http://10.0.0.3:80", "http://10.0.0.4:80", "http://10.0.0.5:80" };
    (void)state;
    seed = 1;
    is_unsafe = false;
    settings = (struct balance_settings){ .servers = server_defaults };
    list = (struct server_list){ pointers, 3 };
    for (int i = 0; i < SERVERS; i++)
        server_init(&servers[i], 1, balance_hash(str_of(addresses[i])));
    return 0;
}

static double draw(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static int choose_at(long long now_us, uint64_t key, uint64_t tried)
{
    struct balance_question question = { .key = key, .tried = tried, .is_unsafe = is_unsafe };
    for (int i = 0; i < BALANCE_DRAWS; i++)
        question.draws[i] = draw();
    return balance_choose(&settings, list, &question, now_us);
}

/* How often each is chosen of `calls` times, in percent of them. */
static void shares_at(long long now_us, int calls, int *percents)
{
    int counts[SERVERS] = { 0 };
    for (int i = 0; i < calls; i++)
        counts[choose_at(now_us, balance_hash((struct str){ (char *)&i, sizeof i }), 0)]++;
    for (int i = 0; i < SERVERS; i++)
        percents[i] = (counts[i] * 100 + calls / 2) / calls;
}

static void make_down(struct server *server)
{
    for (int i = 0; i < server_defaults.fall; i++)
        server_check(server, &settings.servers, false, 0);
}

static void answer(struct server *server, long long took_us, long long now_us)
{
    struct server_result result = { now_us, took_us, true };
    server_begin(server, &settings.servers, now_us);
    server_end(server, &settings.servers, list, result, now_us);
}

static void round_robin_mixes_evenly_by_weight(void **state)
{
    static const struct {
        double weights[3];
        const char *order;
    } cases[] = {
        { { 1, 1, 1 }, "abcabcabc" },
        { { 5, 1, 1 }, "aabacaaaabacaa" },
        { { 2, 1, 0.5 }, "abacabaabacaba" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char order[32] = "";
        setup(NULL);
        for (int j = 0; j < 3; j++)
            servers[j].weight = cases[i].weights[j];
        for (size_t j = 0; j < strlen(cases[i].order); j++)
            order[j] = (char)('a' + choose_at(0, 0, 0));
        assert_string_equal(order, cases[i].order);
    }
}

static void who_is_out_gets_nothing(void **state)
{
    (void)state;
    make_down(&servers[1]);
    for (int kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_HASH; kind++) {
        int percents[SERVERS];
        settings.kind = (enum balance_kind)kind;
        shares_at(0, 1000, percents);
        assert_int_equal(percents[1], 0);
        assert_in_range(percents[0], 40, 60);
    }
}

static void who_was_tried_gets_nothing_while_others_are_there(void **state)
{
    (void)state;
    make_down(&servers[1]);
    for (int kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_HASH; kind++) {
        settings.kind = (enum balance_kind)kind;
        for (uint64_t key = 0; key < 50; key++) {
            assert_int_equal(choose_at(0, key, 1), 2);
            assert_int_equal(choose_at(0, key, 1 | 2), 2);
            assert_int_not_equal(choose_at(0, key, 1 | 4), 1); /* again rather than one down */
            assert_int_not_equal(choose_at(0, key, 7), 1);
        }
    }
}

static void who_is_in_a_ramp_gets_its_share(void **state)
{
    static const struct {
        int count;
        long long after_us;
        int percent, tolerance;
    } cases[] = {
        { 2, 0, 9, 4 },          /* 0.1 of 1.1 */
        { 3, 0, 5, 2 },          /* 0.1 of 2.1 */
        { 3, 500 * MS, 22, 4 },  /* 0.55 of 2.55 */
        { 3, 1000 * MS, 33, 4 }, /* all of it */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_HASH; kind++) {
            int percents[SERVERS];
            setup(NULL);
            list.count = cases[i].count;
            settings.kind = (enum balance_kind)kind;
            server_ramp(&servers[0], SECOND);
            shares_at(SECOND + cases[i].after_us, 4000, percents);
            if (abs(percents[0] - cases[i].percent) > cases[i].tolerance)
                fail_msg("case %zu, kind %d: %d %%", i, kind, percents[0]);
        }
}

static void least_time_goes_where_it_is_faster_and_emptier(void **state)
{
    static const struct {
        long long took_ms[2];
        int under_way[2];
        double weights[2];
        int expected;
    } cases[] = {
        { { 1, 50 }, { 0, 0 }, { 1, 1 }, 0 }, { { 50, 1 }, { 0, 0 }, { 1, 1 }, 1 },
        { { 5, 5 }, { 3, 2 }, { 1, 1 }, 1 }, { { 5, 5 }, { 3, 2 }, { 2, 1 }, 0 },
        { { 2, 8 }, { 1, 0 }, { 1, 1 }, 0 },  /* waits 4, not 8 */
        { { 2, 8 }, { 10, 0 }, { 1, 1 }, 1 }, /* waits 20 */
    };
    (void)state;
    settings.kind = BALANCE_LEAST_TIME;
    for (size_t i = 0; i < COUNT(cases); i++) {
        setup(NULL);
        settings.kind = BALANCE_LEAST_TIME;
        list.count = 2;
        for (int j = 0; j < 2; j++) {
            answer(&servers[j], cases[i].took_ms[j] * MS, 0);
            servers[j].under_way = cases[i].under_way[j];
            servers[j].weight = cases[i].weights[j];
        }
        for (int j = 0; j < 20; j++)
            assert_int_equal(choose_at(0, 0, 0), cases[i].expected);
    }
}

static void least_time_asks_all_who_are_equal(void **state)
{
    int percents[SERVERS];
    (void)state;
    settings.kind = BALANCE_LEAST_TIME;
    list.count = 5;
    shares_at(0, 10000, percents);
    for (int i = 0; i < 5; i++)
        assert_in_range(percents[i], 18, 22);
}

static void least_time_asks_one_that_was_slow_again(void **state)
{
    int percents[SERVERS];
    (void)state;
    settings.kind = BALANCE_LEAST_TIME;
    list.count = 2;
    answer(&servers[0], 2 * SECOND, 0);
    answer(&servers[1], 5 * MS, 0);
    shares_at(SECOND, 1000, percents);
    assert_int_equal(percents[0], 0);
    answer(&servers[1], 5 * MS, 20 * SECOND);
    shares_at(20 * SECOND, 1000, percents);
    assert_int_equal(percents[0], 100);
}

static void a_trial_gets_its_call_whatever_is_still_under_way(void **state)
{
    int percents[SERVERS];
    (void)state;
    settings.kind = BALANCE_LEAST_TIME;
    servers[0].under_way = 100;
    for (int i = 0; i < server_defaults.ejection_failures; i++)
        server_end(&servers[0], &settings.servers, list, (struct server_result){ 0 }, 0);
    servers[0].under_way = 95;
    shares_at(server_defaults.ejection_us, 4000, percents);
    assert_in_range(percents[0], 4, 10); /* of these, the first one ends it */
}

static void eject_at(struct server *server, long long now_us)
{
    for (int i = 0; i < server_defaults.ejection_failures; i++)
        server_end(
            server, &settings.servers, list, (struct server_result){ now_us, 0, false }, now_us);
}

static void a_trial_is_no_unsafe_call_while_a_safe_one_may_come(void **state)
{
    const long long trial_us = SECOND + server_defaults.ejection_us;
    int percents[SERVERS];
    (void)state;
    eject_at(&servers[0], SECOND);
    is_unsafe = true;
    shares_at(trial_us, 4000, percents);
    assert_int_equal(percents[0], 0);
    shares_at(trial_us + server_defaults.ejection_us - 1, 4000, percents);
    assert_int_equal(percents[0], 0);
    assert_int_equal(choose_at(trial_us, 0, 6), 0); /* the other ones were tried */
    shares_at(trial_us + server_defaults.ejection_us, 4000, percents);
    assert_in_range(percents[0], 1, 50);
    is_unsafe = false;
    shares_at(trial_us, 4000, percents);
    assert_in_range(percents[0], 1, 50);
}

static void a_key_stays_with_its_server(void **state)
{
    static int before[KEYS];
    int moved = 0, wrong = 0, percents[SERVERS];
    (void)state;
    settings.kind = BALANCE_HASH;
    list.count = 4;
    for (int i = 0; i < KEYS; i++)
        before[i] = choose_at(0, (uint64_t)i, 0);
    shares_at(0, KEYS, percents);
    for (int i = 0; i < 4; i++)
        assert_in_range(percents[i], 24, 26);
    list.count = 5; /* one more takes a fifth of the keys, and no key moves between others */
    for (int i = 0; i < KEYS; i++) {
        int now = choose_at(0, (uint64_t)i, 0);
        moved += now != before[i];
        wrong += now != before[i] && now != 4;
    }
    assert_int_equal(wrong, 0);
    assert_in_range(moved, KEYS * 19 / 100, KEYS * 21 / 100);
}

static void only_the_keys_of_who_is_out_move(void **state)
{
    static int before[KEYS];
    int percents[SERVERS];
    (void)state;
    settings.kind = BALANCE_HASH;
    for (int i = 0; i < KEYS; i++)
        before[i] = choose_at(0, (uint64_t)i, 0);
    make_down(&servers[0]);
    for (int i = 0; i < KEYS; i++)
        if (before[i] != 0)
            assert_int_equal(choose_at(0, (uint64_t)i, 0), before[i]);
    shares_at(0, KEYS, percents);
    assert_in_range(percents[1], 49, 51);
}

static void who_weighs_more_has_more_keys(void **state)
{
    int percents[SERVERS];
    (void)state;
    settings.kind = BALANCE_HASH;
    servers[0].weight = 3;
    servers[2].weight = 0.5;
    shares_at(0, KEYS, percents);
    assert_in_range(percents[0], 65, 68); /* of 4.5 */
    assert_in_range(percents[1], 21, 23);
    assert_in_range(percents[2], 10, 12);
}

static void where_all_are_out_a_few_still_try(void **state)
{
    struct balance_question question = { .draws = { 0.5, 0.5, 0.5 } };
    int tries = 0, counts[SERVERS] = { 0 };
    (void)state;
    for (int i = 0; i < 3; i++)
        make_down(&servers[i]);
    for (int i = 0; i < 3000; i++) {
        int at = choose_at(0, 0, 0);
        if (at >= 0)
            counts[at]++;
        tries += at >= 0;
    }
    assert_in_range(tries, 250, 350);
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 70, 130);
    assert_int_equal(balance_choose(&settings, list, &question, 0), -1);
    question.must_try = true;
    assert_int_equal(balance_choose(&settings, list, &question, 0), 1);
    question.tried = 2 | 1;
    assert_int_equal(balance_choose(&settings, list, &question, 0), 2);
    question.tried = 7;
    assert_int_equal(balance_choose(&settings, list, &question, 0), 1);
}

static void who_drains_is_not_even_asked_then(void **state)
{
    struct balance_question question = { .must_try = true };
    (void)state;
    for (int i = 0; i < 3; i++)
        servers[i].is_draining = true;
    assert_int_equal(balance_choose(&settings, list, &question, 0), -1);
    list.count = 0;
    assert_int_equal(balance_choose(&settings, list, &question, 0), -1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(round_robin_mixes_evenly_by_weight),
        TEST(who_is_out_gets_nothing),
        TEST(who_was_tried_gets_nothing_while_others_are_there),
        TEST(who_is_in_a_ramp_gets_its_share),
        TEST(least_time_goes_where_it_is_faster_and_emptier),
        TEST(least_time_asks_all_who_are_equal),
        TEST(least_time_asks_one_that_was_slow_again),
        TEST(a_trial_gets_its_call_whatever_is_still_under_way),
        TEST(a_trial_is_no_unsafe_call_while_a_safe_one_may_come),
        TEST(a_key_stays_with_its_server),
        TEST(only_the_keys_of_who_is_out_move),
        TEST(who_weighs_more_has_more_keys),
        TEST(where_all_are_out_a_few_still_try),
        TEST(who_drains_is_not_even_asked_then),
    };

    return cmocka_run_group_tests_name("gateway/balance", tests, NULL, NULL);
}
