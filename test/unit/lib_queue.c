/* lib_queue: connections leave in the order of their coming, and never more than there is room. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include "lib/queue.h"

static struct queue queue;

static int set_up(void **state)
{
    (void)state;
    queue = (struct queue){ .count = 0 };
    return 0;
}

static bool put(int fd, long long at_us)
{
    return queue_put(&queue, &(struct arrival){ fd, at_us });
}

/* The descriptor, or -1. */
static int take(long long until_us)
{
    struct arrival arrival;
    return queue_take(&queue, until_us, &arrival) ? arrival.fd : -1;
}

static void the_first_leaves_first(void **state)
{
    (void)state;
    assert_true(put(7, 100));
    assert_true(put(8, 200));
    assert_int_equal(take(LLONG_MAX), 7);
    assert_true(put(9, 300));
    assert_int_equal(take(LLONG_MAX), 8);
    assert_int_equal(take(LLONG_MAX), 9);
    assert_int_equal(take(LLONG_MAX), -1);
}

static void only_what_is_old_enough_is_taken(void **state)
{
    (void)state;
    assert_true(put(7, 100));
    assert_true(put(8, 200));
    assert_int_equal(take(99), -1);
    assert_int_equal(take(100), 7);
    assert_int_equal(take(199), -1);
    assert_int_equal(take(200), 8);
}

static void it_tells_when_the_first_came(void **state)
{
    (void)state;
    long long at_us;
    assert_false(queue_first_us(&queue, &at_us));
    assert_true(queue_is_empty(&queue));
    assert_true(put(7, 100));
    assert_true(put(8, 200));
    assert_false(queue_is_empty(&queue));
    assert_true(queue_first_us(&queue, &at_us));
    assert_int_equal(at_us, 100);
}

static void there_is_room_for_so_many_and_no_more(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) { /* each begins elsewhere in the ring */
        for (int i = 0; i < QUEUE_MAX; i++)
            assert_true(put(i, i));
        assert_false(put(QUEUE_MAX, QUEUE_MAX));
        assert_int_equal(take(LLONG_MAX), 0);
        assert_true(put(QUEUE_MAX, QUEUE_MAX));
        for (int i = 1; i <= QUEUE_MAX; i++)
            assert_int_equal(take(LLONG_MAX), i);
        assert_true(put(1, 1));
        assert_int_equal(take(LLONG_MAX), 1);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_leaves_first, set_up),
        cmocka_unit_test_setup(only_what_is_old_enough_is_taken, set_up),
        cmocka_unit_test_setup(it_tells_when_the_first_came, set_up),
        cmocka_unit_test_setup(there_is_room_for_so_many_and_no_more, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
