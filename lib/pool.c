/* pool: threads that each accept their own connections from one listening socket.
 *
 * The count of idle threads is all that they share on the way of a connection. The main thread does
 * nothing but wait for the end, and look now and then whether there are too many of them. */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "log.h"
#include "seat.h"

#define IDLE_MIN 2 /* one to take the next request, one more while a third is being started */

/* Milliseconds. */
#define REVIEW_MS 5000     /* threads that were never needed for this long are too many */
#define DRAIN_MS 5000      /* how long a stop goes on taking what comes in without a pause */
#define QUIET_MS 60000     /* how long after a crash a moment without requests is waited for */
#define QUIET_AGAIN_MS 5   /* it is looked for so often */
#define CRASH_STOP_MS 5000 /* then nothing is accepted: threads may wait for a lost lock */
#define WAKE_AGAIN_MS 2    /* a signal just before accept is missed, so it is sent again */
#define TROUBLE_MS 100     /* pause after accept had no descriptor or memory */
#define COMPLAIN_MS 1000   /* trouble is logged, and another thread tried, once in this time */

/* What a handler needs is small (bodies live in arenas); 1,000 threads are then 256 MiB of address
 * space. The guard is larger than a frame that could skip it. */
#define STACK_SIZE (256 * 1024)
#define STACK_GUARD_SIZE (64 * 1024)

struct pool {
    const struct pool_work *work;
    const struct listener *listener;
    pthread_t main;
    struct seat *seats; /* seat_count of them */
    unsigned seat_count;

    atomic_int idle;      /* threads that serve nothing */
    atomic_int idle_low;  /* the fewest of them since the last review */
    atomic_int surplus;   /* threads that shall leave */
    atomic_uint threads;  /* taken seats, lost ones included */
    atomic_uint lost;     /* of these, those of crashed threads */
    pthread_mutex_t lock; /* one thread is started at a time */

    atomic_bool is_stopping, is_crashed, is_failed;
    atomic_llong drain_until_us; /* the last moment to take a connection once it is stopping */
    atomic_llong trouble_us;     /* when something was last complained of */
};

/* The same trouble comes to all threads at once, and often: most of it is not logged. */
static bool is_trouble_fresh(struct pool *pool)
{
    long long last = atomic_load(&pool->trouble_us);
    return last != 0 && log_clock_us() - last < COMPLAIN_MS * 1000LL;
}

static void complain(struct pool *pool, const char *what, int error)
{
    long long last = atomic_load(&pool->trouble_us);
    if (!is_trouble_fresh(pool) &&
        atomic_compare_exchange_strong(&pool->trouble_us, &last, log_clock_us()))
        log_event("%s: %s", what, strerrordesc_np(error));
}

static void *run_thread(void *argument);

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
    int error = pthread_create(&thread, &attributes, run_thread, seat);
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
        complain(pool, "cannot start a thread", error);
    }
}

/* One more thread, if there may be more. Where that fails, those that exist go on alone for a
 * while. */
static void grow(struct pool *pool)
{
    if (atomic_load(&pool->threads) == pool->seat_count)
        return; /* the usual case under load, without the lock */

    pthread_mutex_lock(&pool->lock);
    if (atomic_load(&pool->threads) < pool->seat_count && !atomic_load(&pool->is_stopping) &&
        !is_trouble_fresh(pool))
        add_thread(pool);
    pthread_mutex_unlock(&pool->lock);
}

static void count_busy(struct pool *pool)
{
    int idle = atomic_fetch_sub(&pool->idle, 1) - 1;
    if (idle < atomic_load_explicit(&pool->idle_low, memory_order_relaxed))
        atomic_store_explicit(&pool->idle_low, idle, memory_order_relaxed);
    if (idle <= 0)
        grow(pool);
}

static bool take_one(atomic_int *count, int min)
{
    int value = atomic_load_explicit(count, memory_order_relaxed);
    while (value > min) {
        if (atomic_compare_exchange_weak(count, &value, value - 1))
            return true;
    }
    return false;
}

/* Shall the calling thread leave, as one of those that are too many? */
static bool is_surplus(struct pool *pool)
{
    return take_one(&pool->surplus, 0) && take_one(&pool->idle, IDLE_MIN);
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
        complain(pool, "cannot accept", error);
        nanosleep(&pause, NULL);
        return true;
    case LISTENER_USELESS:
        complain(pool, "cannot accept any more", error);
        atomic_store(&pool->is_failed, true);
        seat_call_main(pool->main);
    }
    return false;
}

/* The next connection, or -1 where the thread shall leave. */
static int next_connection(struct seat *seat)
{
    struct pool *pool = seat->pool;

    for (;;) {
        if (is_surplus(pool))
            return -1;
        seat_enter_accept(seat);
        bool is_last = is_over(pool); /* asked in here: who stops the pool wakes us after it */
        int fd = is_last ? -1 : listener_accept(pool->listener);
        int error = errno;
        seat_leave_accept(seat);

        if (fd >= 0)
            return fd;
        if (is_last || !survive_accept(pool, error))
            return -1;
    }
}

/* A crashed thread is never used again, nor ended: at its end the C library would free memory that
 * may be damaged. It keeps its seat, so there are never more of them than seats. */
_Noreturn static void lose_thread(struct seat *seat)
{
    struct pool *pool = seat->pool;

    atomic_store(&seat->state, SEAT_LOST);
    atomic_fetch_add(&pool->lost, 1);
    atomic_store(&pool->is_crashed, true);
    seat_call_main(pool->main);
    for (;;)
        pause();
}

/* The seat first: when all threads are counted as gone, all of them can be joined. */
static void leave(struct seat *seat)
{
    struct pool *pool = seat->pool;

    atomic_store(&seat->state, SEAT_LEFT);
    atomic_fetch_sub(&pool->threads, 1);
    seat_call_main(pool->main);
}

static void *run_thread(void *argument)
{
    struct seat *seat = argument;
    struct pool *pool = seat->pool;
    const struct pool_work *work = pool->work;
    int fd;

    seat_take(seat);
    void *thread = work->thread_start(work->context);
    if (!thread) {
        atomic_fetch_sub(&pool->idle, 1);
        complain(pool, "cannot start a thread", ENOMEM);
    }
    while (thread && (fd = next_connection(seat)) >= 0) {
        count_busy(pool);
        if (!work->serve(thread, fd))
            lose_thread(seat);
        atomic_fetch_add(&pool->idle, 1);
    }
    if (thread)
        work->thread_stop(thread);
    leave(seat);
    return NULL;
}

static unsigned count_seats(const struct pool *pool, enum seat_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pool->seat_count; i++)
        count += atomic_load(&pool->seats[i].state) == (int)state;
    return count;
}

/* Ends accept in up to `count` threads. */
static void wake_threads(struct pool *pool, unsigned count)
{
    for (unsigned i = 0; i < pool->seat_count && count > 0; i++)
        count -= seat_wake(&pool->seats[i]);
}

/* Gives back the stacks of threads that have left; another time, where a thread is being started.
 */
static void join_left(struct pool *pool)
{
    if (pthread_mutex_trylock(&pool->lock) != 0)
        return;
    for (unsigned i = 0; i < pool->seat_count; i++) {
        struct seat *seat = &pool->seats[i];
        if (atomic_load(&seat->state) == SEAT_LEFT) {
            pthread_join(seat->thread, NULL);
            atomic_store(&seat->state, SEAT_FREE);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

/* Sends away the threads that were idle all the time since the last review. */
static void review(struct pool *pool)
{
    int idle = atomic_load(&pool->idle);
    int low = atomic_exchange(&pool->idle_low, idle);
    int surplus = low > IDLE_MIN ? low - IDLE_MIN : 0;

    atomic_store(&pool->surplus, surplus);
    wake_threads(pool, (unsigned)surplus);
    join_left(pool);
    if (idle <= 0)
        grow(pool); /* an earlier try may have failed */
}

/* Until SIGTERM (true), a crash or a failure. */
static bool wait_for_end(struct pool *pool)
{
    long long reviewed_us = log_clock_us();
    while (!atomic_load(&pool->is_crashed) && !atomic_load(&pool->is_failed)) {
        int number = seat_wait_main(true, REVIEW_MS);
        if (number == SIGTERM)
            return true;
        if (number == SIGHUP && pool->work->reload)
            pool->work->reload(pool->work->context);
        if (log_clock_us() - reviewed_us >= REVIEW_MS * 1000LL) {
            review(pool);
            reviewed_us = log_clock_us();
        }
    }
    return false;
}

static bool is_sigterm_pending(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && sigismember(&set, SIGTERM);
}

/* After a crash: a moment without requests, so that starting anew delays none; but not for long. A
 * SIGTERM ends the wait and stays pending; so does a SIGHUP, for the program that starts anew. */
static void wait_for_quiet(struct pool *pool)
{
    long long until_us = log_clock_us() + QUIET_MS * 1000LL;
    while (count_seats(pool, SEAT_BUSY) > 0 && log_clock_us() < until_us && !is_sigterm_pending())
        seat_wait_main(false, QUIET_AGAIN_MS);
}

/* Takes no new connection and waits for the threads. Is it final, what waits in the socket is taken
 * first, else it is left to the renewed program. After a crash the wait is bounded: threads may
 * wait for a lock of the C library that the crashed one holds. */
static void stop(struct pool *pool, bool is_final)
{
    long long now_us = log_clock_us();
    atomic_store(&pool->drain_until_us, is_final ? now_us + DRAIN_MS * 1000LL : 0);
    atomic_store(&pool->surplus, 0);
    atomic_store(&pool->is_stopping, true);

    while (atomic_load(&pool->threads) > atomic_load(&pool->lost)) {
        if (atomic_load(&pool->is_crashed) && log_clock_us() - now_us > CRASH_STOP_MS * 1000LL)
            return;
        wake_threads(pool, pool->seat_count);
        bool is_missed = count_seats(pool, SEAT_ACCEPTING) > 0;
        seat_wait_main(false, is_missed ? WAKE_AGAIN_MS : REVIEW_MS);
    }
}

/* NULL where there is no memory. */
static struct pool *pool_new(
    const struct pool_work *work, const struct listener *listener, unsigned threads_max)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    struct seat *seats = aligned_alloc(_Alignof(struct seat), threads_max * sizeof(*seats));
    if (!pool || !seats) {
        free(pool);
        free(seats);
        return NULL;
    }

    *pool = (struct pool){ .work = work,
        .listener = listener,
        .main = pthread_self(),
        .seats = seats,
        .seat_count = threads_max };
    pthread_mutex_init(&pool->lock, NULL);
    for (unsigned i = 0; i < threads_max; i++) {
        seats[i].pool = pool;
        atomic_init(&seats[i].state, SEAT_FREE);
    }
    return pool;
}

static void pool_free(struct pool *pool)
{
    join_left(pool);
    pthread_mutex_destroy(&pool->lock);
    free(pool->seats);
    free(pool);
}

enum pool_end pool_run(
    const struct pool_work *work, const struct listener *listener, unsigned threads_max)
{
    struct pool *pool = pool_new(work, listener, threads_max > 0 ? threads_max : 1);
    if (!pool)
        return POOL_FAILED;

    seat_init_signals();
    for (int i = 0; i < IDLE_MIN; i++)
        grow(pool);
    bool is_final = wait_for_end(pool);
    if (!is_final && atomic_load(&pool->is_crashed)) {
        wait_for_quiet(pool);
        is_final = is_sigterm_pending();
    }
    stop(pool, is_final);

    /* After a crash no memory is touched any more, not even to free it. */
    if (atomic_load(&pool->is_crashed))
        return is_final ? POOL_STOPPED_CRASHED : POOL_CRASHED;
    pool_free(pool);
    return is_final ? POOL_STOPPED : POOL_FAILED;
}
