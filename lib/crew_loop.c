/* crew_loop: what the loop's thread does: it accepts connections, and goes on with whichever
 * request has got what it waited for.
 *
 * Where as many requests are under way as there may be, a connection waits in the queue for the
 * first that ends; what has waited there too long is refused. So there is always somebody who
 * accepts. */
#include "crew_part.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <unistd.h>
#include "guard.h"
#include "log.h"
#include "seat.h"

#define IDLE_MIN 2     /* members that are kept however long there was nothing to do */
#define TROUBLE_MS 100 /* pause after accept had no descriptor or memory */
#define ACCEPT_MAX 64  /* at once: others want to go on as well */

/* How long a connection waits before it is refused: a burst of requests that take milliseconds is
 * through by then, and who is refused is told soon enough to ask elsewhere. */
#define QUEUE_WAIT_US (100 * 1000LL)

enum { BELL_CONNECTION, BELL_LOOK };

/* --- members --- */

/* A crashed member is never used again, nor is its thread: its end would free memory that may be
 * damaged. */
_Noreturn static void lose(struct member *member)
{
    struct crew *crew = member->crew;
    if (crew->work->is_stuck && crew->work->is_stuck(member->own))
        atomic_store(&crew->oversight.is_stuck, true);
    atomic_fetch_sub(&crew->busy, 1);
    atomic_store(&crew->oversight.is_crashed, true);
    seat_call_main(crew->oversight.main);
    for (;;)
        pause();
}

/* The crashed thread may hold a lock that the others' requests come to, if only that of the C
 * library: it must not go on with any of them. */
void crew_give_up_thread(void)
{
    if (!loop_is_here())
        return;
    struct crew *crew = ((struct member *)fiber_argument(fiber_here()))->crew;
    loop_adopt(NULL);
    log_collect(NULL);
    atomic_store(&crew->oversight.is_crashed, true);
    atomic_store(&crew->is_orphaned, true);
    seat_call_main(crew->oversight.main);
}

static void run_member(void *argument)
{
    struct member *member = argument;
    const struct pool_work *work = member->crew->work;
    for (;;) {
        bool is_well = member->refuses ? work->refuse(member->own, &member->arrival)
                                       : work->serve(member->own, &member->arrival);
        if (!is_well)
            lose(member);
        member->is_done = true;
        fiber_leave();
    }
}

static struct member *member_new(struct crew *crew)
{
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return NULL;
    member->crew = crew;
    member->own = crew->work->thread_start(crew->work->context);
    member->fiber = member->own ? fiber_new(run_member, member) : NULL;
    if (member->fiber)
        return member;
    if (member->own)
        crew->work->thread_stop(member->own);
    free(member);
    return NULL;
}

static void member_free(struct member *member)
{
    member->crew->work->thread_stop(member->own);
    fiber_free(member->fiber);
    free(member);
}

static struct member *take_idle(struct crew *crew)
{
    struct member *member = crew->idle;
    if (member) {
        crew->idle = member->next;
        crew->idle_count--;
    } else if (crew->count < crew->requests_max) {
        member = member_new(crew);
        if (member)
            crew->count++;
        else
            oversight_complain(&crew->oversight, "cannot take one more request", ENOMEM);
    }
    if (crew->idle_count < crew->idle_low)
        crew->idle_low = crew->idle_count;
    return member;
}

/* --- going on --- */

bool crew_enter(struct member *member)
{
    fiber_enter(member->fiber);
    return member->is_done;
}

static void put_back(struct crew *crew, struct member *member)
{
    atomic_fetch_sub(&crew->busy, 1);
    if (member->refuses) {
        crew->refuser = member;
        return;
    }
    member->next = crew->idle;
    crew->idle = member;
    crew->idle_count++;
}

static void go_on(struct crew *crew, struct member *member)
{
    while (!crew_enter(member)) {
        if (!member->wants_thread)
            return; /* it waits */
        member->wants_thread = false;
        if (crew_thread_give(crew, member))
            return;
    }
    put_back(crew, member);
}

static void begin(struct crew *crew, struct member *member, const struct arrival *arrival)
{
    member->arrival = *arrival;
    member->is_done = false;
    atomic_fetch_add(&crew->busy, 1);
    go_on(crew, member);
}

/* There is somebody who can. */
static void refuse(struct crew *crew, const struct arrival *arrival)
{
    struct member *member = crew->refuser;
    crew->refuser = NULL;
    if (crew->refused++ == 0)
        log_event("overloaded: %u requests are under way, more are refused", crew->requests_max);
    begin(crew, member, arrival);
}

/* --- connections --- */

static void set_deaf(struct crew *crew, bool is_deaf)
{
    if (crew->is_deaf != is_deaf &&
        loop_set_bell(crew->loop, BELL_CONNECTION, crew->listener->fd, !is_deaf))
        crew->is_deaf = is_deaf;
}

/* No connection could be accepted. */
static void survive_accept(struct crew *crew, int error)
{
    switch (listener_judge(error)) {
    case LISTENER_AGAIN:
        return;
    case LISTENER_FULL:
        oversight_complain(&crew->oversight, "cannot accept", error);
        crew->deaf_until_us = log_clock_us() + TROUBLE_MS * 1000LL;
        break;
    case LISTENER_USELESS:
        oversight_complain(&crew->oversight, "cannot accept any more", error);
        atomic_store(&crew->oversight.is_failed, true);
        seat_call_main(crew->oversight.main);
        crew->deaf_until_us = LLONG_MAX;
    }
    set_deaf(crew, true);
}

/* False where there is none. */
static bool accept_one(struct crew *crew)
{
    if (!queue_has_room(&crew->queue)) {
        set_deaf(crew, true);
        return false;
    }
    int fd = listener_accept(crew->listener);
    if (fd < 0) {
        survive_accept(crew, errno);
        return false;
    }
    struct arrival arrival = { fd, log_clock_us() };
    struct member *member = queue_is_empty(&crew->queue) ? take_idle(crew) : NULL;
    if (member)
        begin(crew, member, &arrival);
    else
        queue_put(&crew->queue, &arrival);
    return true;
}

static void accept_some(struct crew *crew)
{
    for (int left = ACCEPT_MAX; left > 0 && accept_one(crew);)
        left--;
}

static void serve_waiting(struct crew *crew)
{
    struct arrival arrival;
    struct member *member;
    while (!queue_is_empty(&crew->queue) && (member = take_idle(crew))) {
        queue_take(&crew->queue, LLONG_MAX, &arrival);
        begin(crew, member, &arrival);
    }
    while (crew->refuser && !queue_is_empty(&crew->queue) &&
           queue_take(&crew->queue, log_clock_us() - QUEUE_WAIT_US, &arrival))
        refuse(crew, &arrival);
    if (crew->is_deaf && queue_has_room(&crew->queue) && log_clock_us() >= crew->deaf_until_us)
        set_deaf(crew, false);
}

/* --- looking after --- */

/* A time of overload has ended when nobody was refused from one review to the next. */
static void review_overload(struct crew *crew)
{
    if (crew->refused > 0 && crew->refused == crew->refused_before) {
        log_event("the overload is over: %u requests were refused", crew->refused);
        crew->refused = 0;
    }
    crew->refused_before = crew->refused;
}

/* Sends away who was idle all the time since the last review: those that were idle longest. */
static void review(struct crew *crew)
{
    unsigned surplus = crew->idle_low > IDLE_MIN ? crew->idle_low - IDLE_MIN : 0;
    struct member **link = &crew->idle;
    for (unsigned stays = crew->idle_count - surplus; stays > 0 && *link; stays--)
        link = &(*link)->next;
    struct member *member = *link;
    *link = NULL;
    for (struct member *next; member; member = next) {
        next = member->next;
        member_free(member);
        crew->count--;
        crew->idle_count--;
    }
    if (surplus > 0)
        malloc_trim(0); /* what a burst has taken, the C library would keep for ever */
    crew->idle_low = crew->idle_count;
    review_overload(crew);
    crew->review_us = log_clock_us() + OVERSIGHT_REVIEW_MS * 1000LL;
}

static long long next_look_us(struct crew *crew)
{
    long long until_us = crew->review_us, first_us;
    if (crew->refuser && queue_first_us(&crew->queue, &first_us) &&
        first_us + QUEUE_WAIT_US < until_us)
        until_us = first_us + QUEUE_WAIT_US;
    if (crew->is_deaf && queue_has_room(&crew->queue) && crew->deaf_until_us < until_us)
        until_us = crew->deaf_until_us;
    return until_us;
}

/* When it stops, the crew first empties the socket; but not for ever, where it fills all the time.
 */
static bool is_over(struct crew *crew)
{
    if (!atomic_load(&crew->is_stopping))
        return false;
    if (!crew->is_drained && log_clock_us() <= atomic_load(&crew->drain_until_us) &&
        listener_has_waiting(crew->listener))
        return false;
    crew->is_drained = true;
    crew->deaf_until_us = LLONG_MAX;
    set_deaf(crew, true);
    return queue_is_empty(&crew->queue) && atomic_load(&crew->busy) == 0;
}

/* At the end. */
static void members_free(struct crew *crew)
{
    if (atomic_load(&crew->oversight.is_crashed))
        return;
    for (struct member *member = crew->idle, *next; member; member = next) {
        next = member->next;
        member_free(member);
    }
    if (crew->refuser)
        member_free(crew->refuser);
}

static void take_home(struct crew *crew)
{
    struct member *next;
    for (struct member *member = crew_thread_take_home(crew); member; member = next) {
        next = member->next;
        put_back(crew, member);
    }
}

/* The first of the loop's threads does it for all. False where something cannot be had. */
static bool prepare(struct crew *crew)
{
    if (crew->is_prepared)
        return true;
    crew->is_prepared = true;
    if (crew->work->refuse) {
        crew->refuser = member_new(crew);
        if (!crew->refuser)
            return false;
        crew->refuser->refuses = true;
    }
    crew->review_us = log_clock_us() + OVERSIGHT_REVIEW_MS * 1000LL;
    return loop_set_bell(crew->loop, BELL_CONNECTION, crew->listener->fd, true) &&
           loop_set_bell(crew->loop, BELL_LOOK, crew->bell[0], true);
}

void *crew_loop_run(void *argument)
{
    struct crew *crew = argument;
    struct fiber *fiber;

    guard_thread_start();
    loop_adopt(crew->loop);
    log_collect(&crew->lines);
    bool is_ready = prepare(crew);
    if (!is_ready)
        atomic_store(&crew->oversight.is_failed, true);
    while (is_ready) {
        log_write_collected();
        unsigned bells = loop_wait(crew->loop, next_look_us(crew));
        while ((fiber = loop_next(crew->loop)))
            go_on(crew, fiber_argument(fiber));
        if (bells & 1U << BELL_LOOK)
            take_home(crew);
        if (bells & 1U << BELL_CONNECTION)
            accept_some(crew);
        serve_waiting(crew);
        if (log_clock_us() >= crew->review_us)
            review(crew);
        if (is_over(crew))
            break;
    }
    loop_adopt(NULL);
    log_collect(NULL);
    members_free(crew);
    guard_thread_stop();
    pthread_t main_thread = crew->oversight.main;
    atomic_store(&crew->is_over, true); /* from here on the crew may be gone */
    seat_call_main(main_thread);
    return NULL;
}
