/* pool_thread: what a thread of the pool does: it accepts a connection, serves it, accepts the
 * next. The count of idle threads is all that they share on the way of a connection. */
#include "pool_part.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>
#include "guard.h"
#include "log.h"

#define TROUBLE_MS 100 /* pause after accept had no descriptor or memory */

static bool take_one(atomic_int *count, int min)
{
    int value = atomic_load_explicit(count, memory_order_relaxed);
    while (value > min) {
        if (atomic_compare_exchange_weak(count, &value, value - 1))
            return true;
    }
    return false;
}

/* Shall the calling thread leave, as one of those that are too many? Not while something waits: the
 * kernel may have woken this one for it, and no other. */
static bool is_surplus(struct pool *pool)
{
    return atomic_load(&pool->surplus) > 0 && !listener_has_waiting(pool->listener) &&
           take_one(&pool->surplus, 0) && take_one(&pool->idle, IDLE_MIN);
}

/* When it stops, the pool first empties the socket; but not for ever, where it fills all the time.
 */
static bool is_over(struct pool *pool)
{
    return atomic_load(&pool->is_stopping) &&
           (log_clock_us() > atomic_load(&pool->drain_until_us) ||
               !listener_has_waiting(pool->listener));
}

/* False where the listening socket is of no use any more. */
static bool survive_accept(struct pool *pool, int error)
{
    const struct timespec pause = { 0, TROUBLE_MS * 1000000L };

    switch (listener_judge(error)) {
    case LISTENER_AGAIN:
        return true;
    case LISTENER_FULL:
        oversight_complain(&pool->oversight, "cannot accept", error);
        nanosleep(&pause, NULL);
        return true;
    case LISTENER_USELESS:
        oversight_complain(&pool->oversight, "cannot accept any more", error);
        atomic_store(&pool->oversight.is_failed, true);
        seat_call_main(pool->oversight.main);
    }
    return false;
}

/* A crashed thread is never used again, nor ended: at its end the C library would free memory that
 * may be damaged. It keeps its seat, so there are never more of them than seats. */
_Noreturn static void lose_thread(struct seat *seat, void *thread)
{
    struct pool *pool = seat->pool;

    if (pool->work->is_stuck && pool->work->is_stuck(thread))
        atomic_store(&pool->oversight.is_stuck, true);
    atomic_store(&seat->state, SEAT_LOST);
    atomic_fetch_add(&pool->lost, 1);
    atomic_store(&pool->oversight.is_crashed, true);
    seat_call_main(pool->oversight.main);
    for (;;)
        pause();
}

/* The seat first: when all threads are counted as gone, all of them can be joined. */
static void leave(struct seat *seat)
{
    struct pool *pool = seat->pool;

    atomic_store(&seat->state, SEAT_LEFT);
    atomic_fetch_sub(&pool->threads, 1);
    seat_call_main(pool->oversight.main);
}

/* The calling thread is about to serve. */
static void become_busy(struct pool *pool)
{
    int idle = atomic_fetch_sub(&pool->idle, 1) - 1;
    if (idle < atomic_load_explicit(&pool->idle_low, memory_order_relaxed))
        atomic_store_explicit(&pool->idle_low, idle, memory_order_relaxed);
    if (idle <= 0)
        pool_size_grow(pool);
}

/* In accept, as far as seats go. Returns the socket, or -1 with errno. */
static int accept_one(struct seat *seat, bool *is_last)
{
    struct pool *pool = seat->pool;
    int fd = -1;

    seat_enter_accept(seat);
    *is_last = is_over(pool); /* asked in here: who stops the pool wakes us after it */
    errno = EAGAIN;
    if (!*is_last)
        fd = listener_accept(pool->listener);
    int error = errno;
    seat_leave_accept(seat);
    errno = error;
    return fd;
}

/* A connection to serve. False where the thread shall leave. */
static bool next_arrival(struct seat *seat, struct arrival *arrival)
{
    struct pool *pool = seat->pool;
    bool is_last;

    while (!is_surplus(pool)) {
        int fd = accept_one(seat, &is_last);
        if (fd >= 0) {
            *arrival = (struct arrival){ fd, log_clock_us() };
            become_busy(pool);
            return true;
        }
        if (is_last || !survive_accept(pool, errno))
            break;
    }
    return false;
}

void *pool_thread_run(void *argument)
{
    struct seat *seat = argument;
    struct pool *pool = seat->pool;
    struct arrival arrival;

    seat_take(seat);
    guard_thread_start();
    void *thread = pool->work->thread_start(pool->work->context);
    if (!thread) {
        atomic_fetch_sub(&pool->idle, 1);
        oversight_complain(&pool->oversight, "cannot start a thread", ENOMEM);
    }
    while (thread && next_arrival(seat, &arrival)) {
        if (!pool->work->serve(thread, &arrival))
            lose_thread(seat, thread);
        atomic_fetch_add(&pool->idle, 1);
    }
    if (thread)
        pool->work->thread_stop(thread);
    guard_thread_stop();
    leave(seat);
    return NULL;
}
