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
    struct waiter *first, **last; /* where the next one who comes is hung in */
};

struct gate *gate_new(void)
{
    struct gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return NULL;
    pthread_mutex_init(&gate->mutex, NULL);
    gate->last = &gate->first;
    return gate;
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    pthread_mutex_destroy(&gate->mutex);
    free(gate);
}

static void hang_out(struct gate *gate, struct waiter *waiter)
{
    struct waiter **at = &gate->first;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    if (!*at)
        gate->last = at;
}

static struct timespec clock_in(int ms)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += ms / 1000;
    time.tv_nsec += (long)(ms % 1000) * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

static int ms_until(const struct timespec *end)
{
    struct timespec now = clock_in(0);
    long long ms =
        (long long)(end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
    return ms > 0 ? (int)ms : 0;
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
    *gate->last = &waiter;
    gate->last = &waiter.next;
    int code = 0;
    while (!waiter.is_in && code == 0)
        code = pthread_cond_timedwait(&waiter.called, &gate->mutex, end);
    if (!waiter.is_in)
        hang_out(gate, &waiter);
    pthread_cond_destroy(&waiter.called);
    return waiter.is_in;
}

int gate_enter(struct gate *gate, int wait_ms)
{
    struct timespec end = clock_in(wait_ms);
    bool is_in = true;
    pthread_mutex_lock(&gate->mutex);
    if (gate->is_taken)
        is_in = wait_for_turn(gate, &end);
    else
        gate->is_taken = true;
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
