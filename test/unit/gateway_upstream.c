/* gateway_upstream: calls whose time is over before another attempt begins. Nobody listens where
 * they go. */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "fcgi-gateway/upstream_state.h"
#include "lib/log.h"

#define DAY_MS (24 * 60 * 60 * 1000)

static struct upstream_server server;
static struct upstream upstream;
static struct upstream_states states;
static struct caller *caller;
static struct arena arena;
static char url[64];
static int closed; /* a socket that keeps the port for itself, and does not listen */

static int setup(void **state)
{
    (void)state;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof address;
    closed = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(closed, (struct sockaddr *)&address, size), 0);
    getsockname(closed, (struct sockaddr *)&address, &size);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    server = (struct upstream_server){ .address = { .text = { url, strlen(url) }, .url = url },
        .weight = 1 };
    upstream = (struct upstream){ .name = STR("closed"), .servers = &server, .server_count = 1 };
    upstream.retry = retry_defaults;
    upstream_states_attach(&states, &upstream, 1);
    caller = caller_new();
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    caller_free(caller);
    upstream_states_detach(&states, &upstream, 1);
    arena_clear(&arena);
    close(closed);
    return 0;
}

static struct call call_for(int timeout_ms)
{
    return (struct call){ .upstream = &upstream,
        .method = "GET",
        .target = "/",
        .timeout_ms = timeout_ms,
        .arena = &arena };
}

/* Its first attempt has failed, and it waits for the next one; how many percents are left then. */
static int fail_once(struct call *call)
{
    const struct retry_budget *budget = &upstream.state->budget;
    int before = budget->percents;
    caller_start(caller, call);
    while (budget->percents >= before && !caller_next_until(caller, log_clock_us() + 1000))
        ;
    assert_int_equal(call->tries, 1);
    return budget->percents;
}

static void what_is_late_already_is_not_begun(void **state)
{
    (void)state;
    struct call call = call_for(DAY_MS);
    call.deadline_us = log_clock_us();
    caller_start(caller, &call);
    assert_ptr_equal(caller_next(caller), &call);
    assert_int_equal(call.outcome, CALL_TIMEOUT);
    assert_true(call.is_past_deadline);
    assert_int_equal(call.tries, 0);
}

static void no_attempt_is_begun_after_a_pause_that_lasted_beyond_the_deadline(void **state)
{
    (void)state;
    enum { TIMEOUT_MS = 4000 };
    upstream.retry.backoff_us = upstream.retry.backoff_max_us = TIMEOUT_MS / 2 * 1000LL;
    struct call call = call_for(TIMEOUT_MS);
    long long until_us = log_clock_us() + (TIMEOUT_MS + 1) * 1000LL;
    int left = fail_once(&call);
    while (log_clock_us() < until_us)
        poll(NULL, 0, 10);
    assert_ptr_equal(caller_next(caller), &call);
    assert_int_equal(call.tries, 1);
    assert_int_equal(call.outcome, CALL_UNREACHABLE);
    assert_int_equal(upstream.state->budget.percents, left + 100);
}

static void a_retry_that_is_given_up_in_its_pause_costs_nothing(void **state)
{
    (void)state;
    upstream.retry.backoff_us = upstream.retry.backoff_max_us = DAY_MS / 2 * 1000LL;
    struct call call = call_for(DAY_MS);
    int left = fail_once(&call);
    caller_cancel(caller);
    assert_int_equal(upstream.state->budget.percents, left + 100);
}

static void a_retry_that_finds_no_place_costs_nothing(void **state)
{
    (void)state;
    upstream.retry.backoff_us = upstream.retry.backoff_max_us = 1000000;
    struct call call = call_for(DAY_MS);
    int left = fail_once(&call);
    upstream.state->places = (struct bulkhead_settings){ .concurrent_max = 1 };
    upstream.state->bulkhead.inside = 1; /* somebody else has it */
    assert_ptr_equal(caller_next(caller), &call);
    assert_int_equal(call.tries, 1);
    assert_int_equal(upstream.state->budget.percents, left + 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_late_already_is_not_begun),
        TEST(no_attempt_is_begun_after_a_pause_that_lasted_beyond_the_deadline),
        TEST(a_retry_that_is_given_up_in_its_pause_costs_nothing),
        TEST(a_retry_that_finds_no_place_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
