/* crew_thread: threads of single members: of those whose request computes long, or waits in a way
 * that would keep all others waiting.
 *
 * There are as many as are wanted at the same time; who has nothing to do for a while leaves. */
#include "crew_part.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>
#include "guard.h"

/* They run on their members' stacks. */
#define STACK_SIZE (256 * 1024)

#define IDLE_S 5

void crew_ring(struct crew *crew)
{
    if (write(crew->bell[1], "", 1) < 0)
        return; /* it is full: it rings */
}

static struct member *take(struct crew *crew)
{
    struct member *member = crew->first;
    crew->first = member->next;
    crew->wanted--;
    if (!crew->first)
        crew->last = &crew->first;
    return member;
}

/* With the lock held. NULL: the thread shall leave. */
static struct member *wait_for_one(struct crew *crew)
{
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_S;
    crew->idle_threads++;
    while (!crew->first && !crew->is_ending && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&crew->called, &crew->lock, &until);
    crew->idle_threads--;
    return crew->first ? take(crew) : NULL;
}

static void *run(void *argument)
{
    struct crew *crew = argument;
    struct member *member;
    guard_thread_start();
    pthread_mutex_lock(&crew->lock);
    while ((member = wait_for_one(crew))) {
        pthread_mutex_unlock(&crew->lock);
        crew_enter(member); /* to its end: here nothing makes it leave before */
        pthread_mutex_lock(&crew->lock);
        member->next = crew->home;
        crew->home = member;
        crew_ring(crew);
    }
    guard_thread_stop();
    crew->threads--;
    pthread_cond_broadcast(&crew->called);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* Where none can be started, the next one that is free will do. */
bool crew_thread_give(struct crew *crew, struct member *member)
{
    int error = 0;
    pthread_mutex_lock(&crew->lock);
    if (crew->wanted >= crew->idle_threads) {
        error = crew_start_thread(run, crew, STACK_SIZE);
        crew->threads += error == 0;
    }
    bool is_given = crew->threads > 0;
    if (is_given) {
        member->next = NULL;
        *crew->last = member;
        crew->last = &member->next;
        crew->wanted++;
        pthread_cond_signal(&crew->called);
    }
    pthread_mutex_unlock(&crew->lock);
    if (error)
        oversight_complain(&crew->oversight, "cannot start a thread", error);
    return is_given;
}

struct member *crew_thread_take_home(struct crew *crew)
{
    char rings[64];
    while (read(crew->bell[0], rings, sizeof rings) == sizeof rings)
        ;
    pthread_mutex_lock(&crew->lock);
    struct member *home = crew->home;
    crew->home = NULL;
    pthread_mutex_unlock(&crew->lock);
    return home;
}

void crew_thread_end(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->is_ending = true;
    pthread_cond_broadcast(&crew->called);
    while (crew->threads > 0)
        pthread_cond_wait(&crew->called, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}

void crew_take_thread(void)
{
    if (!loop_is_here())
        return;
    struct member *member = fiber_argument(fiber_here());
    member->wants_thread = true;
    fiber_leave();
}
