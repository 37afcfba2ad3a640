/* pool_thread: what a thread of the pool does: it accepts a connection, serves it, accepts the
 * next.
 *
 * Where all that there may be are busy, the last idle thread does not serve what it has accepted:
 * it puts it into the queue and goes on accepting, and whoever has finished takes it from there.
 * What waited too long it refuses. So there is always one thread in accept, as long as `work` can
 * refuse; and the count of idle threads, in which that one stays, is all that threads share on the
 * way of a connection while there is no overload. */
#include "pool_part.h"

#include <errno.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>
#include "log.h"

#define TROUBLE_MS 100 /* pause after accept had no descriptor or memory */

/* How long a connection waits for a thread before it is refused: a burst of requests that take
 * milliseconds is through by then, and who is refused is told soon enough to ask elsewhere. */
#define QUEUE_WAIT_US (100 * 1000LL)

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

enum turn { SERVE, REFUSE, LEAVE };

/* The calling thread is about to serve. False where it must not, because all others are busy and
 * somebody has to go on accepting. */
static bool become_busy(struct pool *pool)
{
    int idle = atomic_fetch_sub(&pool->idle, 1) - 1;
    if (idle < atomic_load_explicit(&pool->idle_low, memory_order_relaxed))
        atomic_store_explicit(&pool->idle_low, idle, memory_order_relaxed);
    if (idle > 0)
        return true;
    pool_size_grow(pool);
    if (!pool->work->refuse || atomic_load(&pool->idle) > 0)
        return true;
    atomic_fetch_add(&pool->idle, 1);
    return false;
}

/* What waits is for a thread that has just finished, and for one that finds that it is not the last
 * idle one any more. Who puts something in looks here afterwards, and so does who becomes idle: one
 * of the two sees the other. */
static bool take_waiting(struct pool *pool, struct arrival *arrival)
{
    if (queue_is_empty(&pool->queue))
        return false;
    if (!take_one(&pool->idle, 1)) {
        pool_size_grow(pool);
        if (!take_one(&pool->idle, 1))
            return false;
    }
    if (queue_take(&pool->queue, LLONG_MAX, arrival))
        return true;
    atomic_fetch_add(&pool->idle, 1);
    return false;
}

static bool take_overdue(struct pool *pool, struct arrival *arrival)
{
    return !queue_is_empty(&pool->queue) &&
           queue_take(&pool->queue, log_clock_us() - QUEUE_WAIT_US, arrival);
}

/* While something is in the queue: until another connection comes, or the first one is overdue. If
 * a thread has become idle and takes that connection from under our nose, the queue was empty, and
 * to block in accept is all that there is to do. */
static bool wait_beside_queue(struct pool *pool, bool accepts)
{
    long long first_us;
    if (!queue_first_us(&pool->queue, &first_us))
        return accepts;
    long long wait_us = first_us + QUEUE_WAIT_US - log_clock_us();
    int wait_ms = wait_us > 0 ? (int)(wait_us / 1000 + 1) : 0;
    return listener_wait(accepts ? pool->listener : NULL, wait_ms);
}

/* In accept, as far as seats go. Returns the socket, or -1 with errno. */
static int accept_one(struct seat *seat, bool *is_last)
{
    struct pool *pool = seat->pool;
    int fd = -1;

    seat_enter_accept(seat);
    *is_last = is_over(pool); /* asked in here: who stops the pool wakes us after it */
    errno = EAGAIN;
    if (wait_beside_queue(pool, !*is_last))
        fd = listener_accept(pool->listener);
    int error = errno;
    seat_leave_accept(seat);
    errno = error;
    return fd;
}

/* A connection to serve or to refuse, unless the thread shall leave. */
static enum turn next_turn(struct seat *seat, struct arrival *arrival)
{
    struct pool *pool = seat->pool;
    bool is_last;

    for (;;) {
        if (take_waiting(pool, arrival))
            return SERVE;
        if (take_overdue(pool, arrival))
            return REFUSE;
        if (is_surplus(pool))
            return LEAVE;
        int fd = accept_one(seat, &is_last);
        if (fd < 0) {
            if ((is_last && queue_is_empty(&pool->queue)) || !survive_accept(pool, errno))
                return LEAVE;
            continue;
        }
        *arrival = (struct arrival){ fd, log_clock_us() };
        if (become_busy(pool))
            return SERVE;
        if (!queue_put(&pool->queue, arrival))
            return REFUSE;
    }
}

static bool serve(struct pool *pool, void *thread, const struct arrival *arrival)
{
    bool is_well = pool->work->serve(thread, arrival);
    if (is_well)
        atomic_fetch_add(&pool->idle, 1);
    return is_well;
}

/* The thread stays idle all the time. */
static bool refuse(struct pool *pool, void *thread, const struct arrival *arrival)
{
    if (atomic_fetch_add(&pool->refused, 1) == 0)
        log_event("overloaded: %u requests are under way, more are refused", pool->seat_count - 1);
    bool is_well = pool->work->refuse(thread, arrival);
    if (!is_well)
        atomic_fetch_sub(&pool->idle, 1);
    return is_well;
}

void *pool_thread_run(void *argument)
{
    struct seat *seat = argument;
    struct pool *pool = seat->pool;
    struct arrival arrival;
    enum turn turn;

    seat_take(seat);
    void *thread = pool->work->thread_start(pool->work->context);
    if (!thread) {
        atomic_fetch_sub(&pool->idle, 1);
        oversight_complain(&pool->oversight, "cannot start a thread", ENOMEM);
    }
    while (thread && (turn = next_turn(seat, &arrival)) != LEAVE) {
        bool is_well =
            turn == SERVE ? serve(pool, thread, &arrival) : refuse(pool, thread, &arrival);
        if (!is_well)
            lose_thread(seat, thread);
    }
    if (thread)
        pool->work->thread_stop(thread);
    leave(seat);
    return NULL;
}
