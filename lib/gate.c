/* gate: lets one thread in at a time, in the order of their coming, and lets nobody wait for ever.
 *
 * A bare mutex is not fair: who leaves and comes back at once finds it free before those who wait
 * were even woken. So everybody draws a number, and gives it back where the wait was in vain. */
#include "gate.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

/* One who waits; it lies on the waiting thread's stack. */
struct waiter {
    struct waiter *next;
    pthread_cond_t called;
    bool is_in;
};

struct gate {
    pthread_mutex_t mutex;
    bool is_taken;
    struct timespec entered; /* when somebody came in last; CLOCK_MONOTONIC */
    struct waiter *first;    /* who waits the longest; there are as many at most as threads */
};

struct gate *gate_new(void)
{
    struct gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return NULL;
    pthread_mutex_init(&gate->mutex, NULL);
    return gate;
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    pthread_mutex_destroy(&gate->mutex);
    free(gate);
}

static void hang_in(struct gate *gate, struct waiter *waiter)
{
    struct waiter **at = &gate->first;
    while (*at)
        at = &(*at)->next;
    *at = waiter;
}

static void hang_out(struct gate *gate, struct waiter *waiter)
{
    struct waiter **at = &gate->first;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
}

static struct timespec clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now;
}

static struct timespec time_after(const struct timespec *start, int ms)
{
    struct timespec time = *start;
    time.tv_sec += ms / 1000;
    time.tv_nsec += (long)(ms % 1000) * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static int ms_until(const struct timespec *end)
{
    struct timespec now = clock_now();
    long long ms =
        (long long)(end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
    return ms > 0 ? (int)ms : 0;
}

/* Must it make room for those who have no business here? */
static bool is_surplus(const struct gate *gate, const struct waiter *waiter)
{
    int before = 0;
    for (const struct waiter *at = gate->first; at != waiter; at = at->next)
        before++;
    return before >= GATE_WAITING_MAX;
}

/* Waits until it is called, or for up to GATE_STUCK_MS. False where it shall give up. */
static bool wait_a_while(struct gate *gate, struct waiter *waiter, const struct timespec *end)
{
    struct timespec until = time_after(&gate->entered, GATE_STUCK_MS), now = clock_now();
    if (!is_before(&now, &until)) {
        if (is_surplus(gate, waiter))
            return false;
        until = time_after(&now, GATE_STUCK_MS);
    }
    bool is_last = !is_before(&until, end);
    int code = pthread_cond_timedwait(&waiter->called, &gate->mutex, is_last ? end : &until);
    return waiter->is_in || code == 0 || !is_last;
}

/* The mutex is held. */
static bool wait_for_turn(struct gate *gate, const struct timespec *end)
{
    struct waiter waiter = { .next = NULL };
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter.called, &attributes);
    pthread_condattr_destroy(&attributes);
    hang_in(gate, &waiter);
    while (!waiter.is_in && wait_a_while(gate, &waiter, end))
        continue;
    if (!waiter.is_in)
        hang_out(gate, &waiter);
    pthread_cond_destroy(&waiter.called);
    return waiter.is_in;
}

int gate_enter(struct gate *gate, int wait_ms)
{
    struct timespec now = clock_now(), end = time_after(&now, wait_ms);
    bool is_in = true;
    pthread_mutex_lock(&gate->mutex);
    if (gate->is_taken)
        is_in = wait_for_turn(gate, &end);
    if (is_in) {
        gate->is_taken = true;
        gate->entered = clock_now();
    }
    pthread_mutex_unlock(&gate->mutex);
    return is_in ? ms_until(&end) : -1;
}

void gate_leave(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    struct waiter *next = gate->first;
    if (next) { /* it stays taken: nobody can come between */
        hang_out(gate, next);
        next->is_in = true;
        pthread_cond_signal(&next->called);
    } else {
        gate->is_taken = false;
    }
    pthread_mutex_unlock(&gate->mutex);
}
