/* crew: many requests by one thread, for programs that mostly wait for others.
 *
 * Here is what the main thread does, and how it begins and ends. What the loop's thread does is in
 * crew_loop.c, what others do in crew_thread.c. */
#include "crew_part.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "log.h"
#include "seat.h"

/* Milliseconds. */
#define LOOK_AGAIN_MS 100 /* whether the last request is over, should nobody have said so */

#define LOOP_STACK_SIZE (256 * 1024)

int crew_start_thread(void *(*run)(void *argument), void *argument, size_t stack_size)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_size);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, run, argument);
    pthread_attr_destroy(&attributes);
    return error;
}

/* A crash in the loop's thread costs that thread: it may hold a lock of the C library. All that it
 * was to do is here, and another one goes on with it. */
static void adopt_orphans(void *context)
{
    struct crew *crew = context;
    if (!atomic_exchange(&crew->is_orphaned, false))
        return;
    int error = crew_start_thread(crew_loop_run, crew, LOOP_STACK_SIZE);
    if (error) {
        oversight_complain(&crew->oversight, "cannot start a thread", error);
        atomic_store(&crew->oversight.is_stuck, true);
    }
}

static unsigned count_busy(void *context)
{
    return atomic_load(&((struct crew *)context)->busy);
}

/* Takes no new connection and waits for all requests. Is it final, what waits in the socket is
 * taken first, else it is left to the renewed program. After a crash the wait is bounded. */
static void stop(struct crew *crew, bool is_final)
{
    long long now_us = log_clock_us();
    atomic_store(&crew->drain_until_us, is_final ? now_us + OVERSIGHT_DRAIN_MS * 1000LL : 0);
    atomic_store(&crew->is_stopping, true);
    crew_ring(crew);
    while (!atomic_load(&crew->is_over)) {
        adopt_orphans(crew);
        if (atomic_load(&crew->oversight.is_crashed) &&
            log_clock_us() - now_us > OVERSIGHT_CRASH_STOP_MS * 1000LL)
            return;
        seat_wait_main(false, LOOK_AGAIN_MS);
        crew_ring(crew);
    }
}

/* Gives back what there is of it. */
static void crew_free(struct crew *crew)
{
    if (crew->loop)
        loop_free(crew->loop);
    if (crew->bell[0] >= 0) {
        close(crew->bell[0]);
        close(crew->bell[1]);
    }
    pthread_mutex_destroy(&crew->lock);
    pthread_cond_destroy(&crew->called);
    free(crew);
}

/* NULL where something cannot be had. */
static struct crew *crew_new(
    const struct pool_work *work, struct listener *listener, unsigned requests_max)
{
    struct crew *crew = calloc(1, sizeof(*crew));
    if (!crew)
        return NULL;
    *crew = (struct crew){ .work = work,
        .listener = listener,
        .requests_max = requests_max,
        .loop = loop_new(),
        .bell = { -1, -1 } };
    crew->last = &crew->first;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->called, NULL);
    if (!crew->loop || pipe2(crew->bell, O_CLOEXEC | O_NONBLOCK) != 0) {
        crew_free(crew);
        return NULL;
    }
    /* The loop accepts when there is something to accept, and somebody else may be faster. */
    listener_never_wait(listener);
    return crew;
}

enum pool_end crew_run(
    const struct pool_work *work, struct listener *listener, unsigned requests_max)
{
    struct crew *crew = crew_new(work, listener, requests_max > 0 ? requests_max : 1);
    if (!crew)
        return POOL_FAILED;
    const struct overseen overseen = { .context = crew,
        .woken = adopt_orphans,
        .busy = count_busy,
        .reload = work->reload,
        .reload_context = work->context };
    oversight_begin(&crew->oversight);
    atomic_store(&crew->is_orphaned, true); /* nobody is there yet */
    adopt_orphans(crew);
    if (atomic_load(&crew->oversight.is_stuck))
        return POOL_FAILED;
    bool is_final = oversight_wait(&crew->oversight, &overseen);
    stop(crew, is_final);

    /* After a crash no memory is touched any more, not even to free it. */
    if (atomic_load(&crew->oversight.is_crashed))
        return is_final ? POOL_STOPPED_CRASHED : POOL_CRASHED;
    crew_thread_end(crew);
    crew_free(crew);
    return is_final ? POOL_STOPPED : POOL_FAILED;
}
