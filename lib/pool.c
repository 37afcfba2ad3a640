/* pool: threads that each accept their own connections from one listening socket.
 *
 * Every thread has a seat, whose state says whether it waits in accept. To end that wait the main
 * thread sends it a signal. A signal at any other time could tear a read, so the two agree by the
 * seat's state: the main thread sends only between ACCEPTING and WAKING, and a thread that comes
 * out of accept waits until that is over. What the signal can meet then is at most the beginning of
 * the next read, and that is restarted (SA_RESTART). accept is not, see listener_init. */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "log.h"

#define IDLE_MIN 2     /* one to take the next request, one more while a third is being started */
#define REVIEW_MS 5000 /* threads that were never needed for this long are too many */
#define DRAIN_MS 5000  /* how long a stop goes on taking what comes in without a pause */
#define QUIET_MS 5000  /* how long after a crash a moment without requests is waited for */
#define CRASH_STOP_MS 60000 /* longer than any call takes: threads may wait for a lost lock */
#define QUIET_AGAIN_MS 5
#define WAKE_AGAIN_MS 2      /* a signal just before accept is lost, so it is sent until it works */
#define NO_DESCRIPTOR_MS 100 /* pause after accept had no descriptor or memory */
#define COMPLAIN_US 1000000  /* the same trouble is logged once in this time */

/* What a handler needs is small (bodies live in arenas); 1,000 threads are then 256 MiB of address
 * space. The guard is larger than a frame that skips it. */
#define STACK_SIZE (256 * 1024)
#define STACK_GUARD_SIZE (64 * 1024)

#define WAKE_SIGNAL SIGURG /* ignored by default, so that a stray one harms nobody */

enum seat_state {
    SEAT_FREE,
    SEAT_LEFT,      /* its thread has ended and must be joined */
    SEAT_BUSY,      /* serves a connection, or is on its way from or to accept */
    SEAT_ACCEPTING, /* in accept, or just before or behind it */
    SEAT_WAKING,    /* the same, while the main thread sends a signal */
    SEAT_LOST,      /* its thread crashed and sleeps until the process ends */
};

struct seat {
    _Alignas(64) atomic_int state; /* a cache line of its own: written twice per connection */
    pthread_t thread;
    struct pool *pool;
};

struct pool {
    const struct pool_work *work;
    const struct listener *listener;
    pthread_t main;
    struct seat *seats; /* seat_count of them */
    unsigned seat_count;

    atomic_int idle;     /* threads that serve nothing */
    atomic_int idle_low; /* the fewest of them since the last review */
    atomic_int surplus;  /* threads that shall leave */
    atomic_bool is_stopping, is_crashed, is_failed;
    atomic_llong drain_until_us;
    atomic_llong complained_us;

    pthread_mutex_t lock; /* of starting and leaving, which are rare */
    unsigned threads;     /* taken seats, lost ones included */
    unsigned lost;
};

/* Logs at most one line a second: what goes wrong here goes wrong for every thread at once. */
static void complain(struct pool *pool, const char *what, int error)
{
    long long now = log_clock_us(), last = atomic_load(&pool->complained_us);
    if (now - last < COMPLAIN_US && last != 0)
        return;
    if (atomic_compare_exchange_strong(&pool->complained_us, &last, now))
        log_event("%s: %s", what, strerrordesc_np(error));
}

static void *run_thread(void *argument);

/* With the lock held. A free seat, or one whose thread has left. */
static struct seat *find_seat(struct pool *pool)
{
    for (unsigned i = 0; i < pool->seat_count; i++) {
        struct seat *seat = &pool->seats[i];
        int state = atomic_load(&seat->state);
        if (state == SEAT_LEFT)
            pthread_join(seat->thread, NULL);
        if (state == SEAT_FREE || state == SEAT_LEFT)
            return seat;
    }
    return NULL;
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

/* One more thread, unless there are as many as there may be. Without memory for it those that exist
 * go on alone. */
static void grow(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct seat *seat = atomic_load(&pool->is_stopping) ? NULL : find_seat(pool);
    if (seat) {
        atomic_fetch_add(&pool->idle, 1); /* before it runs, so that only one is started */
        int error = start_thread(seat);
        if (error) {
            atomic_fetch_sub(&pool->idle, 1);
            complain(pool, "cannot start a thread", error);
        } else {
            pool->threads++;
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

static void set_busy(struct pool *pool)
{
    int idle = atomic_fetch_sub(&pool->idle, 1) - 1;
    if (idle < atomic_load_explicit(&pool->idle_low, memory_order_relaxed))
        atomic_store_explicit(&pool->idle_low, idle, memory_order_relaxed);
    if (idle == 0)
        grow(pool);
}

/* May the calling thread leave, as one of those that are too many? */
static bool is_surplus(struct pool *pool)
{
    int surplus = atomic_load_explicit(&pool->surplus, memory_order_relaxed);
    while (surplus > 0) {
        if (!atomic_compare_exchange_weak(&pool->surplus, &surplus, surplus - 1))
            continue;
        int idle = atomic_load(&pool->idle);
        while (idle > IDLE_MIN) {
            if (atomic_compare_exchange_weak(&pool->idle, &idle, idle - 1))
                return true;
        }
        return false;
    }
    return false;
}

/* Nothing is taken any more, once the socket was found empty or fills without a pause. */
static bool is_over(struct pool *pool)
{
    return atomic_load(&pool->is_stopping) &&
           (log_clock_us() > atomic_load(&pool->drain_until_us) ||
               !listener_has_waiting(pool->listener));
}

static void wake_main(struct pool *pool)
{
    pthread_kill(pool->main, WAKE_SIGNAL);
}

static void sleep_ms(long ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

/* False where the listening socket is of no use any more. */
static bool survive_accept(struct pool *pool, int error)
{
    switch (listener_judge(error)) {
    case LISTENER_AGAIN:
        return true;
    case LISTENER_FULL:
        complain(pool, "cannot accept", error);
        sleep_ms(NO_DESCRIPTOR_MS);
        return true;
    case LISTENER_USELESS:
        complain(pool, "cannot accept any more", error);
        atomic_store(&pool->is_failed, true);
        wake_main(pool);
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
        atomic_store(&seat->state, SEAT_ACCEPTING);
        bool is_last = is_over(pool); /* asked in this state: the main thread wakes us after it */
        int fd = is_last ? -1 : listener_accept(pool->listener);
        int error = errno;
        int accepting = SEAT_ACCEPTING;
        while (!atomic_compare_exchange_weak(&seat->state, &accepting, SEAT_BUSY)) {
            accepting = SEAT_ACCEPTING;
            sched_yield();
        }

        if (is_last)
            return -1;
        if (fd >= 0)
            return fd;
        if (!survive_accept(pool, error))
            return -1;
    }
}

/* A crashed thread is never used again, nor ended: at its end the C library would free memory that
 * may be damaged. It keeps its seat, so there are never more of them than seats. */
_Noreturn static void lose_thread(struct seat *seat)
{
    struct pool *pool = seat->pool;

    pthread_mutex_lock(&pool->lock);
    pool->lost++;
    atomic_store(&seat->state, SEAT_LOST);
    pthread_mutex_unlock(&pool->lock);
    atomic_store(&pool->is_crashed, true);
    wake_main(pool);
    for (;;)
        pause();
}

static void leave(struct seat *seat)
{
    struct pool *pool = seat->pool;

    pthread_mutex_lock(&pool->lock);
    pool->threads--;
    atomic_store(&seat->state, SEAT_LEFT);
    pthread_mutex_unlock(&pool->lock);
    wake_main(pool);
}

static void mask_signal(int how, int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(how, &set, NULL);
}

static void *run_thread(void *argument)
{
    struct seat *seat = argument;
    struct pool *pool = seat->pool;
    const struct pool_work *work = pool->work;
    int fd;

    seat->thread = pthread_self();
    mask_signal(SIG_UNBLOCK, WAKE_SIGNAL);
    void *thread = work->thread_start(work->context);
    if (!thread) {
        atomic_fetch_sub(&pool->idle, 1);
        complain(pool, "cannot start a thread", ENOMEM);
    }
    while (thread && (fd = next_connection(seat)) >= 0) {
        set_busy(pool);
        if (!work->serve(thread, fd))
            lose_thread(seat);
        atomic_fetch_add(&pool->idle, 1);
    }
    if (thread)
        work->thread_stop(thread);
    leave(seat);
    return NULL;
}

static void on_wake(int number)
{
    (void)number; /* all it has to do is to end accept */
}

/* Threads inherit the mask: SIGTERM and the wake signal come to the main thread only, which takes
 * them from sigtimedwait. */
static void prepare_signals(void)
{
    struct sigaction action = { .sa_handler = on_wake, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(WAKE_SIGNAL, &action, NULL);
    mask_signal(SIG_BLOCK, WAKE_SIGNAL);
    mask_signal(SIG_BLOCK, SIGTERM);
}

/* Waits for a signal to the main thread; returns it, or -1. */
static int wait_for_signal(bool takes_sigterm, long ms)
{
    struct timespec limit = { ms / 1000, ms % 1000 * 1000000 };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, WAKE_SIGNAL);
    if (takes_sigterm)
        sigaddset(&set, SIGTERM);
    return sigtimedwait(&set, NULL, &limit);
}

static bool is_sigterm_pending(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && sigismember(&set, SIGTERM);
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
    for (unsigned i = 0; i < pool->seat_count && count > 0; i++) {
        struct seat *seat = &pool->seats[i];
        int state = SEAT_ACCEPTING;
        if (atomic_compare_exchange_strong(&seat->state, &state, SEAT_WAKING)) {
            pthread_kill(seat->thread, WAKE_SIGNAL);
            atomic_store(&seat->state, SEAT_ACCEPTING);
            count--;
        }
    }
}

/* Sends away the threads that were idle all the time since the last review. */
static void review(struct pool *pool)
{
    int idle = atomic_load(&pool->idle);
    int low = atomic_exchange(&pool->idle_low, idle);
    int surplus = low > IDLE_MIN ? low - IDLE_MIN : 0;

    atomic_store(&pool->surplus, surplus);
    wake_threads(pool, (unsigned)surplus);
    if (idle <= 0)
        grow(pool); /* an earlier try may have failed */
}

/* Until SIGTERM, a crash or a failure. */
static void wait_for_end(struct pool *pool)
{
    long long reviewed_us = log_clock_us();
    while (!atomic_load(&pool->is_crashed) && !atomic_load(&pool->is_failed)) {
        if (wait_for_signal(true, REVIEW_MS) == SIGTERM)
            return;
        if (log_clock_us() - reviewed_us >= REVIEW_MS * 1000LL) {
            review(pool);
            reviewed_us = log_clock_us();
        }
    }
}

/* After a crash: a moment without requests, so that the end delays none; but not for long. A
 * SIGTERM ends the wait and stays pending. */
static void wait_for_quiet(struct pool *pool)
{
    long long until_us = log_clock_us() + QUIET_MS * 1000LL;
    while (log_clock_us() < until_us && !is_sigterm_pending()) {
        if (count_seats(pool, SEAT_BUSY) == 0 && !listener_has_waiting(pool->listener))
            return;
        wait_for_signal(false, QUIET_AGAIN_MS);
    }
}

static bool is_empty(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool is_empty = pool->threads == pool->lost;
    pthread_mutex_unlock(&pool->lock);
    return is_empty;
}

/* Takes no new connection and waits for the threads. After a crash not for ever: they may wait for
 * a lock of the C library that the crashed thread holds. */
static void stop(struct pool *pool)
{
    long long now_us = log_clock_us();
    bool is_crashed = atomic_load(&pool->is_crashed);
    atomic_store(&pool->drain_until_us, is_crashed ? 0 : now_us + DRAIN_MS * 1000LL);
    atomic_store(&pool->is_stopping, true);

    while (!is_empty(pool)) {
        if (is_crashed && log_clock_us() - now_us > CRASH_STOP_MS * 1000LL)
            return;
        wake_threads(pool, pool->seat_count);
        bool is_signal_lost = count_seats(pool, SEAT_ACCEPTING) > 0;
        wait_for_signal(false, is_signal_lost ? WAKE_AGAIN_MS : REVIEW_MS);
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
    for (unsigned i = 0; i < pool->seat_count; i++) {
        if (atomic_load(&pool->seats[i].state) == SEAT_LEFT)
            pthread_join(pool->seats[i].thread, NULL);
    }
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

    prepare_signals();
    for (int i = 0; i < IDLE_MIN; i++)
        grow(pool);
    wait_for_end(pool);
    if (atomic_load(&pool->is_crashed))
        wait_for_quiet(pool);
    stop(pool);

    if (atomic_load(&pool->is_crashed))
        return POOL_CRASHED;
    bool is_failed = atomic_load(&pool->is_failed);
    pool_free(pool);
    return is_failed ? POOL_FAILED : POOL_STOPPED;
}
