/* gateway_retry: which calls are made again, when, and how many of them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <cmocka.h>
#include "fcgi-gateway/retry.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define SECOND 1000000LL
#define MS 1000LL
#define NOW (50 * SECOND)

static const struct retry_settings settings = {
    .attempts_max = 3,
    .budget_percent = 20,
    .backoff_us = 100 * MS,
    .backoff_max_us = 300 * MS,
};

static struct retry_budget budget;

static int setup(void **state)
{
    (void)state;
    retry_budget_init(&budget);
    return 0;
}

static struct retry_question question_of(const char *method, enum retry_outcome outcome, int status)
{
    return (struct retry_question){
        .method = str_of(method),
        .outcome = outcome,
        .status = status,
        .attempts = 1,
        .deadline_us = LLONG_MAX,
        .draw = 0.5,
    };
}

static struct retry_answer decide(struct retry_question question)
{
    return retry_decide(&settings, &budget, &question, NOW);
}

static void only_what_is_safe_or_was_not_sent(void **state)
{
    static const struct {
        const char *method;
        enum retry_outcome outcome;
        int status;
        enum retry_verdict expected;
    } cases[] = {
        { "GET", RETRY_NOT_SENT, 0, RETRY_YES },
        { "GET", RETRY_BROKEN, 0, RETRY_YES },
        { "HEAD", RETRY_BROKEN, 0, RETRY_YES },
        { "OPTIONS", RETRY_BROKEN, 0, RETRY_YES },
        { "get", RETRY_BROKEN, 0, RETRY_NO_METHOD },
        { "POST", RETRY_NOT_SENT, 0, RETRY_YES },
        { "POST", RETRY_BROKEN, 0, RETRY_NO_METHOD },
        { "POST", RETRY_REPLY, 503, RETRY_NO_METHOD },
        { "PUT", RETRY_NOT_SENT, 0, RETRY_YES },
        { "PUT", RETRY_BROKEN, 0, RETRY_NO_METHOD },
        { "DELETE", RETRY_BROKEN, 0, RETRY_NO_METHOD },
        { "PATCH", RETRY_REPLY, 502, RETRY_NO_METHOD },
        { "", RETRY_BROKEN, 0, RETRY_NO_METHOD },
        { "GET", RETRY_REPLY, 502, RETRY_YES },
        { "GET", RETRY_REPLY, 503, RETRY_YES },
        { "GET", RETRY_REPLY, 504, RETRY_YES },
        { "GET", RETRY_REPLY, 500, RETRY_NO_NEED },
        { "GET", RETRY_REPLY, 429, RETRY_NO_NEED },
        { "GET", RETRY_REPLY, 200, RETRY_NO_NEED },
        { "POST", RETRY_REPLY, 200, RETRY_NO_NEED },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        setup(NULL);
        struct retry_answer answer =
            decide(question_of(cases[i].method, cases[i].outcome, cases[i].status));
        if (answer.verdict != cases[i].expected)
            fail_msg("%s %d: %d", cases[i].method, cases[i].status, (int)answer.verdict);
    }
}

static void not_what_was_begun_nor_without_its_body(void **state)
{
    struct retry_question question = question_of("GET", RETRY_BROKEN, 0);
    (void)state;
    question.is_reply_begun = true;
    assert_int_equal(decide(question).verdict, RETRY_NO_WAY_BACK);
    question = question_of("POST", RETRY_NOT_SENT, 0);
    question.is_body_gone = true;
    assert_int_equal(decide(question).verdict, RETRY_NO_WAY_BACK);
}

static void only_so_many_attempts(void **state)
{
    struct retry_question question = question_of("GET", RETRY_BROKEN, 0);
    (void)state;
    question.attempts = 2;
    assert_int_equal(decide(question).verdict, RETRY_YES);
    question.attempts = 3;
    assert_int_equal(decide(question).verdict, RETRY_NO_ATTEMPTS);
}

static void the_pause_grows_by_chance_and_heeds_retry_after(void **state)
{
    static const struct {
        int attempts;
        double draw;
        enum retry_outcome outcome;
        long long retry_after_us, pause_us;
    } cases[] = {
        { 1, 0, RETRY_BROKEN, 0, 0 }, { 1, 0.5, RETRY_BROKEN, 0, 50 * MS },
        { 2, 0.5, RETRY_BROKEN, 0, 100 * MS }, { 1, 0.5, RETRY_REPLY, 10 * MS, 50 * MS },
        { 1, 0.5, RETRY_REPLY, SECOND, SECOND },
        { 1, 0.5, RETRY_BROKEN, SECOND, 50 * MS }, /* left over from nothing */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct retry_question question = question_of("GET", cases[i].outcome, 503);
        question.attempts = cases[i].attempts;
        question.draw = cases[i].draw;
        question.retry_after_us = cases[i].retry_after_us;
        assert_int_equal(decide(question).verdict, RETRY_YES);
        setup(NULL);
        assert_int_equal(decide(question).pause_us, cases[i].pause_us);
    }
}

static void not_when_the_deadline_comes_first(void **state)
{
    static const struct {
        long long left_us, retry_after_us;
        enum retry_verdict expected;
    } cases[] = {
        { -SECOND, 0, RETRY_NO_TIME },
        { 0, 0, RETRY_NO_TIME },
        { 50 * MS, 0, RETRY_NO_TIME },
        { 51 * MS, 0, RETRY_YES },
        { 51 * MS, SECOND, RETRY_NO_TIME },
        { SECOND + 1, SECOND, RETRY_YES },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct retry_question question = question_of("GET", RETRY_REPLY, 503);
        question.deadline_us = NOW + cases[i].left_us;
        question.retry_after_us = cases[i].retry_after_us;
        assert_int_equal(decide(question).verdict, cases[i].expected);
    }
}

static int retries_of(int calls)
{
    int retries = 0;
    for (int i = 0; i < calls; i++) {
        retry_budget_call(&budget, &settings);
        for (int attempts = 1; attempts < settings.attempts_max; attempts++) {
            struct retry_question question = question_of("GET", RETRY_BROKEN, 0);
            question.attempts = attempts;
            retries += decide(question).verdict == RETRY_YES;
        }
    }
    return retries;
}

static void an_outage_is_not_multiplied(void **state)
{
    static const struct {
        int calls, retries;
    } cases[] = { { 1, 2 }, { 5, 3 }, { 50, 12 }, { 1000, 202 } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        setup(NULL);
        assert_int_equal(retries_of(cases[i].calls), cases[i].retries);
    }
}

static void quiet_times_save_up_only_so_much(void **state)
{
    int retries = 0;
    (void)state;
    for (int i = 0; i < 100000; i++)
        retry_budget_call(&budget, &settings);
    while (decide(question_of("GET", RETRY_BROKEN, 0)).verdict == RETRY_YES)
        retries++;
    assert_int_equal(retries, 10);
    assert_int_equal(decide(question_of("GET", RETRY_BROKEN, 0)).verdict, RETRY_NO_BUDGET);
}

static void only_a_retry_that_is_made_costs(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        decide(question_of("POST", RETRY_BROKEN, 0));
    assert_int_equal(retries_of(1), 2);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(only_what_is_safe_or_was_not_sent),
        TEST(not_what_was_begun_nor_without_its_body),
        TEST(only_so_many_attempts),
        TEST(the_pause_grows_by_chance_and_heeds_retry_after),
        TEST(not_when_the_deadline_comes_first),
        TEST(an_outage_is_not_multiplied),
        TEST(quiet_times_save_up_only_so_much),
        TEST(only_a_retry_that_is_made_costs),
    };

    return cmocka_run_group_tests_name("gateway/retry", tests, NULL, NULL);
}
