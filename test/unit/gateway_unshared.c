/* gateway_unshared: of whose replies is it remembered that they are not for sharing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/unshared.h"

#define NOW_US 5000000000LL
#define LATER_US (NOW_US + (UNSHARED_FOR_S + 1) * 1000000LL)

static struct unshared *unshared;

static int set_up(void **state)
{
    (void)state;
    unshared = unshared_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unshared_free(unshared);
    return 0;
}

static struct unshared_place place(const char *route, const char *reply)
{
    return unshared_place(unshared, str_of(route), str_of(reply));
}

static void note(const char *route, const char *reply)
{
    struct unshared_place at = place(route, reply);
    unshared_note(unshared, &at, NOW_US);
}

static bool is_likely(const char *route, const char *reply, long long now_us)
{
    struct unshared_place at = place(route, reply);
    return unshared_is_likely(unshared, &at, now_us);
}

static void a_reply_is_remembered_for_a_while(void **state)
{
    (void)state;
    assert_false(is_likely("r", "a", NOW_US));
    note("r", "a");
    assert_true(is_likely("r", "a", NOW_US));
    assert_true(is_likely("r", "a", NOW_US + (UNSHARED_FOR_S - 1) * 1000000LL));
    assert_false(is_likely("r", "a", LATER_US));
}

static void one_often_says_nothing_of_the_route_but_different_ones_do(void **state)
{
    (void)state;
    for (int i = 0; i < 10 * UNSHARED_OF_ROUTE; i++)
        note("r", "a");
    assert_false(is_likely("r", "new", NOW_US));
    for (int i = 1; i < UNSHARED_OF_ROUTE; i++)
        note("r", (char[]){ (char)('a' + i), 0 });
    assert_true(is_likely("r", "new", NOW_US));
    assert_false(is_likely("other", "new", NOW_US));
    assert_false(is_likely("r", "new", LATER_US));
}

static void a_shared_one_ends_it_for_itself_and_the_route(void **state)
{
    (void)state;
    for (int i = 0; i < UNSHARED_OF_ROUTE; i++)
        note("r", (char[]){ (char)('a' + i), 0 });
    struct unshared_place at = place("r", "a");
    unshared_forget(unshared, &at);
    assert_false(is_likely("r", "a", NOW_US));
    assert_false(is_likely("r", "new", NOW_US));
    assert_true(is_likely("r", "b", NOW_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reply_is_remembered_for_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            one_often_says_nothing_of_the_route_but_different_ones_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_shared_one_ends_it_for_itself_and_the_route, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
