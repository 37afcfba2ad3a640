/* lib_gate: one at a time, nobody for ever, nobody past the others. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "lib/gate.h"

enum { SURPLUS = 8, THREADS = GATE_WAITING_MAX + SURPLUS, ROUNDS = 300, LONG_MS = 60000 };

static struct gate *gate;
static int inside, entered; /* guarded by the gate, which is what is tested */

static void *go_through(void *result)
{
    bool *is_good = result;
    *is_good = true;
    for (int i = 0; i < ROUNDS; i++) {
        if (gate_enter(gate, LONG_MS) < 0 || inside != 0)
            *is_good = false;
        inside++;
        entered++;
        inside--;
        gate_leave(gate);
    }
    return NULL;
}

static void one_at_a_time(void **state)
{
    pthread_t threads[THREADS];
    bool is_good[THREADS];
    (void)state;
    gate = gate_new();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, go_through, &is_good[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(is_good[i]);
    }
    assert_int_equal(entered, THREADS * ROUNDS);
    gate_free(gate);
}

static void *try_shortly(void *left_ms)
{
    *(int *)left_ms = gate_enter(gate, 20);
    return NULL;
}

static void who_waits_in_vain_leaves_no_trace(void **state)
{
    pthread_t threads[THREADS];
    int left_ms[THREADS];
    (void)state;
    gate = gate_new();
    assert_in_range(gate_enter(gate, LONG_MS), LONG_MS / 2, LONG_MS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, try_shortly, &left_ms[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(left_ms[i], -1);
    }
    gate_leave(gate);
    assert_true(gate_enter(gate, 0) >= 0);
    assert_int_equal(gate_enter(gate, 0), -1);
    gate_leave(gate);
    gate_free(gate);
}

static atomic_int turned_away;

static void *try_for_long(void *is_in)
{
    *(bool *)is_in = gate_enter(gate, LONG_MS) >= 0;
    if (*(bool *)is_in)
        gate_leave(gate);
    else
        turned_away++;
    return NULL;
}

/* Nobody comes in: after some time only so many may wait, and who comes then is told at once. */
static void a_queue_that_does_not_move_is_short(void **state)
{
    pthread_t threads[THREADS];
    bool is_in[THREADS];
    int count = 0;
    (void)state;
    gate = gate_new();
    gate_enter(gate, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, try_for_long, &is_in[i]), 0);
    while (turned_away < SURPLUS) /* for ever where it is wrong; the runner ends it */
        sched_yield();
    assert_int_equal(gate_enter(gate, LONG_MS), -1);
    gate_leave(gate);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        count += is_in[i];
    }
    assert_int_equal(count, GATE_WAITING_MAX);
    assert_int_equal(turned_away, SURPLUS);
    gate_free(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(who_waits_in_vain_leaves_no_trace),
        cmocka_unit_test(a_queue_that_does_not_move_is_short),
    };

    return cmocka_run_group_tests_name("lib/gate", tests, NULL, NULL);
}
