/* pool_part: what the parts of the pool share. For pool*.c only. */
#ifndef LIB_POOL_PART_H
#define LIB_POOL_PART_H

#include <pthread.h>
#include <stdatomic.h>
#include "oversight.h"
#include "pool.h"
#include "seat.h"

#define IDLE_MIN 2 /* one to take the next request, one more while a third is being started */

struct pool {
    const struct pool_work *work;
    struct listener *listener;
    struct oversight oversight;
    struct seat *seats; /* seat_count of them */
    unsigned seat_count;

    atomic_int idle;      /* threads that serve nothing */
    atomic_int idle_low;  /* the fewest of them since the last review */
    atomic_int surplus;   /* threads that shall leave */
    atomic_uint threads;  /* taken seats, lost ones included */
    atomic_uint lost;     /* of these, those of crashed threads */
    pthread_mutex_t lock; /* one thread is started at a time */

    atomic_bool is_stopping;
    atomic_llong drain_until_us; /* the last moment to take a connection once it is stopping */
};

/* pool_thread: what a thread does in its seat until it leaves. The argument is a struct seat. */
void *pool_thread_run(void *argument);

/* pool_size: one more thread, if there may be more. Where that fails, those that exist go on alone
 * for a while. */
void pool_size_grow(struct pool *pool);

/* Sends away the threads that were idle all the time since the last review. */
void pool_size_review(struct pool *pool);

/* Ends accept in up to `count` threads. */
void pool_size_wake(struct pool *pool, unsigned count);

/* Gives back the stacks of threads that have left; another time, where a thread is being started.
 */
void pool_size_join(struct pool *pool);

#endif
