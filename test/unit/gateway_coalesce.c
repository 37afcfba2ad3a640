/* gateway_coalesce: who leads, who follows, and how a follower's waiting ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>
#include "fcgi-gateway/coalesce.h"
#include "lib/log.h"

#define NEVER (LLONG_MAX / 2)

static struct stored *reply(void)
{
    struct stored_draft draft;
    assert_true(stored_begin(&draft, 200, STR(""), 10));
    return stored_end(&draft, STR(""), STR(""));
}

/* A follower in a thread of its own; what became of it. */
struct follower {
    struct coalescer *coalescer;
    struct coalesce_seat seat;
    struct coalesce_client client;
    enum coalesce_role end;
    pthread_t thread;
};

static int for_ever(void *context)
{
    (void)context;
    return INT_MAX;
}

/* Counts how often it is asked. */
static int for_a_moment(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
    return 1;
}

static void *wait_for_end(void *argument)
{
    struct follower *self = argument;
    self->end = coalesce_wait(self->coalescer, &self->seat, 0, &self->client);
    return NULL;
}

/* Joins here, so that their order is known, and waits there. */
static void begin_until(struct follower *self, struct coalescer *coalescer, long long deadline_us)
{
    *self =
        (struct follower){ .coalescer = coalescer, .client = { .fd = -1, .wait_ms = for_ever } };
    assert_int_equal(
        coalesce_join(coalescer, STR("k"), deadline_us, &self->seat), COALESCE_FOLLOWS);
}

static void begin(struct follower *self, struct coalescer *coalescer)
{
    begin_until(self, coalescer, NEVER);
}

static void go(struct follower *self)
{
    pthread_create(&self->thread, NULL, wait_for_end, self);
}

static enum coalesce_role end_of(struct follower *self)
{
    pthread_join(self->thread, NULL);
    return self->end;
}

/* Whoever comes now begins anew. */
static bool is_over(struct coalescer *coalescer)
{
    struct coalesce_seat seat;
    if (coalesce_join(coalescer, STR("k"), NEVER, &seat) != COALESCE_LEADS)
        return false;
    coalesce_abandon(coalescer, &seat);
    return true;
}

static void followers_get_the_leader_s_reply(void **state)
{
    struct coalescer *coalescer = coalescer_new();
    struct coalesce_seat leader, other;
    struct follower followers[5];
    (void)state;
    assert_int_equal(coalesce_join(coalescer, STR("k"), NEVER, &leader), COALESCE_LEADS);
    assert_int_equal(coalesce_join(coalescer, STR("other"), NEVER, &other), COALESCE_LEADS);
    for (int i = 0; i < 5; i++) {
        begin(&followers[i], coalescer);
        if (i != 2)
            go(&followers[i]);
    }
    struct stored *stored = reply();
    coalesce_land(coalescer, &leader, stored);
    go(&followers[2]); /* one that waits only when all is over */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(end_of(&followers[i]), COALESCE_SERVED);
        assert_ptr_equal(followers[i].seat.reply, stored);
        stored_release(followers[i].seat.reply);
    }
    assert_int_equal(stored->users, 1);
    stored_release(stored);
    assert_int_equal(other.role, COALESCE_LEADS);
    coalesce_abandon(coalescer, &other);
    assert_true(is_over(coalescer));
    coalescer_free(coalescer);
}

static void the_next_leads_where_the_leader_gives_up(void **state)
{
    struct coalescer *coalescer = coalescer_new();
    struct coalesce_seat leader;
    struct follower first, second;
    (void)state;
    coalesce_join(coalescer, STR("k"), NEVER, &leader);
    begin(&first, coalescer);
    begin(&second, coalescer);
    go(&first);
    go(&second);
    assert_true(coalesce_hand_over(coalescer, &leader, 0));
    assert_int_equal(end_of(&first), COALESCE_LEADS);
    struct stored *stored = reply();
    coalesce_land(coalescer, &first.seat, stored);
    assert_int_equal(end_of(&second), COALESCE_SERVED);
    stored_release(second.seat.reply);
    stored_release(stored);
    assert_true(is_over(coalescer));
    coalescer_free(coalescer);
}

static void who_has_the_most_time_leads_next(void **state)
{
    struct coalescer *coalescer = coalescer_new();
    struct coalesce_seat leader;
    struct follower first, second, third;
    long long soon_us = log_clock_us() + 3600 * 1000000LL;
    (void)state;
    coalesce_join(coalescer, STR("k"), soon_us, &leader);
    begin_until(&first, coalescer, soon_us + 1);
    begin_until(&second, coalescer, soon_us + 3);
    begin_until(&third, coalescer, soon_us + 2);
    assert_false(coalesce_hand_over(coalescer, &leader, soon_us + 3));
    assert_int_equal(leader.role, COALESCE_LEADS);
    assert_true(coalesce_hand_over(coalescer, &leader, soon_us + 2));
    go(&second);
    assert_int_equal(end_of(&second), COALESCE_LEADS);
    assert_false(coalesce_hand_over(coalescer, &second.seat, soon_us + 2));
    coalesce_abandon(coalescer, &second.seat);
    go(&first);
    go(&third);
    assert_int_equal(end_of(&first), COALESCE_ALONE);
    assert_int_equal(end_of(&third), COALESCE_ALONE);
    coalescer_free(coalescer);
}

static void what_a_former_leader_moved_does_not_count(void **state)
{
    struct coalescer *coalescer = coalescer_new();
    struct coalesce_seat leader, late;
    struct follower next;
    (void)state;
    coalesce_join(coalescer, STR("k"), NEVER, &leader);
    coalesce_join(coalescer, STR("k"), log_clock_us(), &late);
    begin(&next, coalescer);
    coalesce_moved(&leader);
    long long moved_us = log_clock_us(), silence_us = 20 * 1000000LL;
    assert_true(coalesce_hand_over(coalescer, &leader, 0));
    assert_int_equal(coalesce_wait(coalescer, &late, silence_us, NULL), COALESCE_LATE);
    assert_true(log_clock_us() - moved_us < silence_us);
    go(&next);
    assert_int_equal(end_of(&next), COALESCE_LEADS);
    coalesce_abandon(coalescer, &next.seat);
    coalescer_free(coalescer);
}

static void followers_are_alone_where_the_reply_is_not_theirs(void **state)
{
    struct coalescer *coalescer = coalescer_new();
    struct coalesce_seat leader;
    struct follower follower;
    (void)state;
    coalesce_join(coalescer, STR("k"), NEVER, &leader);
    begin(&follower, coalescer);
    go(&follower);
    coalesce_abandon(coalescer, &leader);
    assert_int_equal(end_of(&follower), COALESCE_ALONE);
    coalescer_free(coalescer);
}

static void a_follower_has_its_own_deadline_and_client(void **state)
{
    struct coalescer *coalescer = coalescer_new();
    struct coalesce_seat leader;
    struct follower late, gone, asking, last;
    atomic_int asked = 0;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    coalesce_join(coalescer, STR("k"), NEVER, &leader);
    begin_until(&late, coalescer, log_clock_us() + 1000);
    begin(&gone, coalescer);
    begin(&asking, coalescer);
    begin(&last, coalescer);
    gone.client.fd = ends[0];
    asking.client = (struct coalesce_client){ -1, for_a_moment, &asked };
    go(&late);
    go(&gone);
    go(&asking);
    go(&last);
    assert_int_equal(end_of(&late), COALESCE_LATE);
    close(ends[1]);
    assert_int_equal(end_of(&gone), COALESCE_GONE);
    close(ends[0]);
    while (atomic_load(&asked) < 3)
        sched_yield();
    struct stored *stored = reply();
    coalesce_land(coalescer, &leader, stored);
    assert_int_equal(end_of(&last), COALESCE_SERVED);
    assert_int_equal(end_of(&asking), COALESCE_SERVED);
    stored_release(asking.seat.reply);
    stored_release(last.seat.reply);
    stored_release(stored);
    coalescer_free(coalescer);
}

static void a_leader_that_moves_is_waited_for(void **state)
{
    struct coalescer *coalescer = coalescer_new();
    struct coalesce_seat leader, follower;
    long long silence_us = 20000;
    (void)state;
    coalesce_join(coalescer, STR("k"), NEVER, &leader);
    coalesce_join(coalescer, STR("k"), log_clock_us(), &follower);
    coalesce_moved(&leader);
    long long moved_us = log_clock_us();
    assert_int_equal(coalesce_wait(coalescer, &follower, silence_us, NULL), COALESCE_LATE);
    assert_true(log_clock_us() - moved_us >= silence_us - 1000);
    coalesce_abandon(coalescer, &leader);
    coalescer_free(coalescer);
}

static void followers_are_bounded(void **state)
{
    static struct coalesce_seat seats[COALESCE_FOLLOWERS_MAX];
    struct coalescer *coalescer = coalescer_new();
    struct coalesce_seat leader, more;
    unsigned following = 0;
    (void)state;
    coalesce_join(coalescer, STR("k"), NEVER, &leader);
    while (following < COALESCE_FOLLOWERS_MAX &&
           coalesce_join(coalescer, STR("k"), NEVER, &seats[following]) == COALESCE_FOLLOWS)
        following++; /* ends before that where there are fewer descriptors */
    assert_true(following > 100);
    assert_int_equal(coalesce_join(coalescer, STR("k"), NEVER, &more), COALESCE_ALONE);
    coalesce_abandon(coalescer, &leader);
    for (unsigned i = 0; i < following; i++)
        assert_int_equal(coalesce_wait(coalescer, &seats[i], 0, NULL), COALESCE_ALONE);
    coalescer_free(coalescer);
}

static void *join_and_crash(void *coalescer)
{
    struct coalesce_seat seat;
    coalesce_join(coalescer, STR("k"), NEVER, &seat);
    coalesce_crashed(coalescer);
    return NULL;
}

static void crash(struct coalescer *coalescer)
{
    pthread_t thread;
    pthread_create(&thread, NULL, join_and_crash, coalescer);
    pthread_join(thread, NULL);
}

static void nobody_waits_for_a_thread_that_crashed(void **state)
{
    struct coalescer *coalescer = coalescer_new();
    struct coalesce_seat leader;
    struct follower follower;
    (void)state;
    crash(coalescer);
    assert_int_equal(coalesce_join(coalescer, STR("k"), NEVER, &leader), COALESCE_LEADS);
    crash(coalescer); /* as a follower, which then cannot lead */
    begin(&follower, coalescer);
    assert_true(coalesce_hand_over(coalescer, &leader, 0));
    go(&follower);
    assert_int_equal(end_of(&follower), COALESCE_LEADS);
    assert_false(coalesce_hand_over(coalescer, &follower.seat, 0));
    coalesce_abandon(coalescer, &follower.seat);
    assert_true(is_over(coalescer));
    coalescer_free(coalescer);
}

#define THREADS 8
#define ROUNDS 2000

struct crowd {
    struct coalescer *coalescer;
    atomic_uint led, served, others;
};

static void lead(struct crowd *crowd, struct coalesce_seat *seat, unsigned round)
{
    struct stored *stored = reply();
    atomic_fetch_add(&crowd->led, 1);
    if (round % 3 == 0)
        sched_yield();
    if (round % 7 == 0 && coalesce_hand_over(crowd->coalescer, seat, 0))
        ;
    else if (round % 11 == 0)
        coalesce_abandon(crowd->coalescer, seat);
    else
        coalesce_land(crowd->coalescer, seat, stored);
    stored_release(stored);
}

static void *crowd_in(void *argument)
{
    struct crowd *crowd = argument;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct coalesce_seat seat;
        long long deadline_us = log_clock_us() + (round % 5 ? 1000000 : round % 100);
        enum coalesce_role role = coalesce_join(crowd->coalescer, STR("k"), deadline_us, &seat);
        if (role == COALESCE_FOLLOWS)
            role = coalesce_wait(crowd->coalescer, &seat, 0, NULL);
        if (role == COALESCE_LEADS)
            lead(crowd, &seat, round);
        else
            atomic_fetch_add(role == COALESCE_SERVED ? &crowd->served : &crowd->others, 1);
        if (role == COALESCE_SERVED)
            stored_release(seat.reply);
    }
    return NULL;
}

static void nobody_is_forgotten_in_a_crowd(void **state)
{
    struct crowd crowd = { .coalescer = coalescer_new() };
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, crowd_in, &crowd);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.led + crowd.served + crowd.others, THREADS * ROUNDS);
    assert_true(is_over(crowd.coalescer));
    coalescer_free(crowd.coalescer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(followers_get_the_leader_s_reply),
        cmocka_unit_test(the_next_leads_where_the_leader_gives_up),
        cmocka_unit_test(who_has_the_most_time_leads_next),
        cmocka_unit_test(what_a_former_leader_moved_does_not_count),
        cmocka_unit_test(followers_are_alone_where_the_reply_is_not_theirs),
        cmocka_unit_test(a_follower_has_its_own_deadline_and_client),
        cmocka_unit_test(a_leader_that_moves_is_waited_for),
        cmocka_unit_test(followers_are_bounded),
        cmocka_unit_test(nobody_waits_for_a_thread_that_crashed),
        cmocka_unit_test(nobody_is_forgotten_in_a_crowd),
    };
    return cmocka_run_group_tests_name("gateway_coalesce", tests, NULL, NULL);
}
