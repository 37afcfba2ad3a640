/* pool_size: how many threads the pool has: one more when the last idle one is taken, fewer after a
 * quiet time.
 *
 * Knows nothing of what the threads do. */
#include "pool_part.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include "log.h"

/* What a handler needs is small (bodies live in arenas); 1,000 threads are then 256 MiB of address
 * space. The guard is larger than a frame that could skip it. */
#define STACK_SIZE (256 * 1024)
#define STACK_GUARD_SIZE (64 * 1024)

/* A seat without a thread; there is one. With the lock held. */
static struct seat *find_seat(struct pool *pool)
{
    struct seat *seat = pool->seats;
    for (;; seat++) {
        int state = atomic_load(&seat->state);
        if (state == SEAT_LEFT)
            pthread_join(seat->thread, NULL);
        if (state == SEAT_FREE || state == SEAT_LEFT)
            return seat;
    }
}

/* Returns 0 or an error number. */
static int start_thread(struct seat *seat)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setguardsize(&attributes, STACK_GUARD_SIZE);
    atomic_store(&seat->state, SEAT_BUSY);
    int error = pthread_create(&thread, &attributes, pool_thread_run, seat);
    if (error)
        atomic_store(&seat->state, SEAT_FREE);
    pthread_attr_destroy(&attributes);
    return error;
}

/* With the lock held. The new thread counts before it runs, so that nobody starts a second one. */
static void add_thread(struct pool *pool)
{
    atomic_fetch_add(&pool->threads, 1);
    atomic_fetch_add(&pool->idle, 1);
    int error = start_thread(find_seat(pool));
    if (error) {
        atomic_fetch_sub(&pool->idle, 1);
        atomic_fetch_sub(&pool->threads, 1);
        oversight_complain(&pool->oversight, "cannot start a thread", error);
    }
}

void pool_size_grow(struct pool *pool)
{
    if (atomic_load(&pool->threads) == pool->seat_count)
        return; /* the usual case under load, without the lock */

    pthread_mutex_lock(&pool->lock);
    if (atomic_load(&pool->threads) < pool->seat_count && !atomic_load(&pool->is_stopping) &&
        !oversight_is_troubled(&pool->oversight))
        add_thread(pool);
    pthread_mutex_unlock(&pool->lock);
}

void pool_size_wake(struct pool *pool, unsigned count)
{
    for (unsigned i = 0; i < pool->seat_count && count > 0; i++)
        count -= seat_wake(&pool->seats[i]);
}

void pool_size_join(struct pool *pool)
{
    bool has_left = false;
    if (pthread_mutex_trylock(&pool->lock) != 0)
        return;
    for (unsigned i = 0; i < pool->seat_count; i++) {
        struct seat *seat = &pool->seats[i];
        if (atomic_load(&seat->state) == SEAT_LEFT) {
            pthread_join(seat->thread, NULL);
            atomic_store(&seat->state, SEAT_FREE);
            has_left = true;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    if (has_left)
        malloc_trim(0); /* what a burst has taken, the C library would keep for ever */
}

void pool_size_review(struct pool *pool)
{
    int idle = atomic_load(&pool->idle);
    int low = atomic_exchange(&pool->idle_low, idle);
    int surplus = low > IDLE_MIN ? low - IDLE_MIN : 0;

    atomic_store(&pool->surplus, surplus);
    pool_size_wake(pool, (unsigned)surplus);
    pool_size_join(pool);
    if (idle <= 0)
        pool_size_grow(pool); /* an earlier try may have failed */
}
