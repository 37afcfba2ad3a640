/* lib_gate: one at a time, nobody for ever, nobody past the others. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>
#include "lib/gate.h"

enum { THREADS = 8, ROUNDS = 2000, LONG_MS = 60000 };

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(who_waits_in_vain_leaves_no_trace),
    };

    return cmocka_run_group_tests_name("lib/gate", tests, NULL, NULL);
}
