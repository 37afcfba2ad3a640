/* pool: threads that each accept their own connections from one listening socket.
 *
 * Here is what the main thread does: nothing but wait for the end, and have looked now and then
 * whether there are too many threads. What they do is in pool_thread.c, how many there are in
 * pool_size.c. */
#include "pool.h"

#include <signal.h>
#include <stdlib.h>
#include "log.h"
#include "pool_part.h"

/* Milliseconds. */
#define WAKE_AGAIN_MS 2 /* a signal just before accept is missed, so it is sent again */

static unsigned count_seats(const struct pool *pool, enum seat_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pool->seat_count; i++)
        count += atomic_load(&pool->seats[i].state) == (int)state;
    return count;
}

static void review(void *context)
{
    pool_size_review(context);
}

static unsigned count_busy(void *context)
{
    return count_seats(context, SEAT_BUSY);
}

/* Takes no new connection and waits for the threads. Is it final, what waits in the socket is taken
 * first, else it is left to the renewed program. After a crash the wait is bounded: threads may
 * wait for a lock of the C library that the crashed one holds. */
static void stop(struct pool *pool, bool is_final)
{
    long long now_us = log_clock_us();
    atomic_store(&pool->drain_until_us, is_final ? now_us + OVERSIGHT_DRAIN_MS * 1000LL : 0);
    atomic_store(&pool->surplus, 0);
    atomic_store(&pool->is_stopping, true);

    while (atomic_load(&pool->threads) > atomic_load(&pool->lost)) {
        if (atomic_load(&pool->oversight.is_crashed) &&
            log_clock_us() - now_us > OVERSIGHT_CRASH_STOP_MS * 1000LL)
            return;
        pool_size_wake(pool, pool->seat_count);
        bool is_missed = count_seats(pool, SEAT_ACCEPTING) > 0;
        seat_wait_main(false, is_missed ? WAKE_AGAIN_MS : OVERSIGHT_REVIEW_MS);
    }
}

/* NULL where there is no memory. */
static struct pool *pool_new(
    const struct pool_work *work, struct listener *listener, unsigned seat_count)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    struct seat *seats = aligned_alloc(_Alignof(struct seat), seat_count * sizeof(*seats));
    if (!pool || !seats) {
        free(pool);
        free(seats);
        return NULL;
    }

    *pool = (struct pool){
        .work = work, .listener = listener, .seats = seats, .seat_count = seat_count
    };
    pthread_mutex_init(&pool->lock, NULL);
    for (unsigned i = 0; i < seat_count; i++) {
        seats[i].pool = pool;
        atomic_init(&seats[i].state, SEAT_FREE);
    }
    return pool;
}

static void pool_free(struct pool *pool)
{
    pool_size_join(pool);
    pthread_mutex_destroy(&pool->lock);
    free(pool->seats);
    free(pool);
}

enum pool_end pool_run(
    const struct pool_work *work, struct listener *listener, unsigned threads_max)
{
    struct pool *pool = pool_new(work, listener, threads_max > 0 ? threads_max : 1);
    if (!pool)
        return POOL_FAILED;

    const struct overseen overseen = { .context = pool,
        .review = review,
        .busy = count_busy,
        .reload = work->reload,
        .reload_context = work->context };
    oversight_begin(&pool->oversight);
    for (int i = 0; i < IDLE_MIN; i++)
        pool_size_grow(pool);
    bool is_final = oversight_wait(&pool->oversight, &overseen);
    stop(pool, is_final);

    /* After a crash no memory is touched any more, not even to free it. */
    if (atomic_load(&pool->oversight.is_crashed))
        return is_final ? POOL_STOPPED_CRASHED : POOL_CRASHED;
    pool_free(pool);
    return is_final ? POOL_STOPPED : POOL_FAILED;
}
