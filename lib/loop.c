/* loop: what the fibers of one thread wait for, all at once.
 *
 * epoll(7), level-triggered and once for each wait: a wait costs one epoll_ctl for each descriptor,
 * and nothing when it ends. What was waited for in vain stays there, and is passed over if it comes
 * when nobody waits for it any more: each wait has a number of its own (`turn`). */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "fiber.h"
#include "log.h"

#define EVENTS_MAX 128

/* Where epoll has no room for a descriptor, it is looked after so often. */
#define LOOK_MS 10

/* A wait is looked at again after so long, whatever it waits for. */
#define WAIT_MAX_MS (60 * 60 * 1000)

/* On the stack of the fiber that waits. */
struct wait {
    struct fiber *fiber;
    struct pollfd *fds;
    size_t count;
    long long until_us; /* LLONG_MAX: in no heap */
    size_t place;       /* in the heap */
    bool is_over;
    bool is_short;     /* epoll has no room for one of them */
    struct wait *next; /* in the list of those that are over */
};

/* Of a descriptor. */
struct watch {
    struct wait *wait; /* NULL: nobody's */
    size_t index;      /* among the wait's descriptors */
    uint32_t turn;
    bool is_known; /* to epoll, if it is still the same one */
};

struct loop {
    int epoll;
    struct watch *watches; /* by descriptor */
    size_t watch_count;
    struct wait **heap; /* by time, the first one on top */
    size_t heap_count, heap_size;
    struct wait *over, **over_end;
};

/* An event's data: a descriptor and its turn, or a bell. */
#define BELL (UINT64_C(1) << 63)
#define TURN_MASK 0x7fffffffU

static _Thread_local struct loop *own;

/* Functions of their own, as a thread's variables may change their place under a fiber (guard.c).
 */
__attribute__((noinline)) static struct loop *loop_of_thread(void)
{
    return own;
}

__attribute__((noinline)) void loop_adopt(struct loop *loop)
{
    own = loop;
}

bool loop_is_here(void)
{
    return loop_of_thread() && fiber_here();
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return NULL;
    loop->over_end = &loop->over;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll >= 0)
        return loop;
    free(loop);
    return NULL;
}

void loop_free(struct loop *loop)
{
    close(loop->epoll);
    free(loop->watches);
    free(loop->heap);
    free(loop);
}

bool loop_set_bell(struct loop *loop, unsigned number, int fd, bool is_heard)
{
    struct epoll_event event = { .events = is_heard ? EPOLLIN : 0, .data.u64 = BELL | number };
    return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) == 0 ||
           (errno == ENOENT && epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

/* --- times --- */

static void put(struct loop *loop, size_t place, struct wait *wait)
{
    loop->heap[place] = wait;
    wait->place = place;
}

static void sift_up(struct loop *loop, struct wait *wait, size_t place)
{
    while (place > 0 && loop->heap[(place - 1) / 2]->until_us > wait->until_us) {
        put(loop, place, loop->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(loop, place, wait);
}

static void sift_down(struct loop *loop, struct wait *wait, size_t place)
{
    for (size_t child; (child = 2 * place + 1) < loop->heap_count; place = child) {
        if (child + 1 < loop->heap_count &&
            loop->heap[child + 1]->until_us < loop->heap[child]->until_us)
            child++;
        if (loop->heap[child]->until_us >= wait->until_us)
            break;
        put(loop, place, loop->heap[child]);
    }
    put(loop, place, wait);
}

/* False where there is no memory. */
static bool add_time(struct loop *loop, struct wait *wait)
{
    if (wait->until_us == LLONG_MAX)
        return true;
    if (loop->heap_count == loop->heap_size) {
        size_t size = loop->heap_size ? 2 * loop->heap_size : 64;
        struct wait **heap = realloc(loop->heap, size * sizeof(struct wait *));
        if (!heap)
            return false;
        loop->heap = heap;
        loop->heap_size = size;
    }
    sift_up(loop, wait, loop->heap_count++);
    return true;
}

static void remove_time(struct loop *loop, struct wait *wait)
{
    if (wait->until_us == LLONG_MAX)
        return;
    wait->until_us = LLONG_MAX;
    struct wait *last = loop->heap[--loop->heap_count];
    if (last == wait)
        return;
    if (wait->place > 0 && loop->heap[(wait->place - 1) / 2]->until_us > last->until_us)
        sift_up(loop, last, wait->place);
    else
        sift_down(loop, last, wait->place);
}

/* --- waits --- */

static void end_wait(struct loop *loop, struct wait *wait)
{
    if (wait->is_over)
        return;
    wait->is_over = true;
    wait->next = NULL;
    *loop->over_end = wait;
    loop->over_end = &wait->next;
}

static struct watch *watch_of(struct loop *loop, int fd)
{
    if ((size_t)fd >= loop->watch_count) {
        size_t count = loop->watch_count ? loop->watch_count : 256;
        while (count <= (size_t)fd)
            count *= 2;
        struct watch *watches = realloc(loop->watches, count * sizeof(*watches));
        if (!watches)
            return NULL;
        for (size_t i = loop->watch_count; i < count; i++)
            watches[i] = (struct watch){ .wait = NULL };
        loop->watches = watches;
        loop->watch_count = count;
    }
    return &loop->watches[fd];
}

/* Whether epoll knows a descriptor is not certain: it may have been closed and opened again. */
static bool arm(struct loop *loop, struct watch *watch, const struct pollfd *fd)
{
    struct epoll_event event = { .events = (unsigned)(unsigned short)fd->events | EPOLLONESHOT,
        .data.u64 = (uint64_t)(watch->turn & TURN_MASK) << 32 | (unsigned)fd->fd };
    if (watch->is_known && epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd->fd, &event) == 0)
        return true;
    watch->is_known =
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd->fd, &event) == 0 ||
        (errno == EEXIST && epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd->fd, &event) == 0);
    return watch->is_known;
}

/* What cannot be waited for ends the wait, as with poll(2); where epoll has no room for it, after a
 * moment: who tries again at once would keep all others from going on. */
static void refuse(struct loop *loop, struct wait *wait, struct pollfd *fd)
{
    long long soon_us = log_clock_us() + LOOK_MS * 1000LL;
    if (errno != ENOSPC && errno != ENOMEM) {
        fd->revents = POLLNVAL;
        end_wait(loop, wait);
        return;
    }
    wait->is_short = true;
    if (soon_us < wait->until_us)
        wait->until_us = soon_us;
}

static void begin(struct loop *loop, struct wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        struct pollfd *fd = &wait->fds[i];
        fd->revents = 0;
        if (fd->fd < 0)
            continue;
        struct watch *watch = watch_of(loop, fd->fd);
        if (watch) {
            watch->wait = wait;
            watch->index = i;
            watch->turn++;
        }
        if (!watch || !arm(loop, watch, fd))
            refuse(loop, wait, fd);
    }
    if (!add_time(loop, wait)) {
        wait->until_us = LLONG_MAX;
        wait->is_short = false;
        end_wait(loop, wait);
    }
}

static int end(struct loop *loop, struct wait *wait)
{
    int count = 0;
    for (size_t i = 0; i < wait->count; i++) {
        int fd = wait->fds[i].fd;
        if (fd >= 0 && (size_t)fd < loop->watch_count && loop->watches[fd].wait == wait)
            loop->watches[fd].wait = NULL;
        count += wait->fds[i].revents != 0;
    }
    remove_time(loop, wait);
    return count;
}

static int poll_alone(struct pollfd *fds, size_t count, int wait_ms)
{
    long long until_us = wait_ms < 0 ? LLONG_MAX : log_clock_us() + wait_ms * 1000LL;
    int ready;
    while ((ready = poll(fds, count, wait_ms)) < 0 && errno == EINTR) {
        long long left_us = until_us - log_clock_us();
        if (wait_ms >= 0)
            wait_ms = left_us > 0 ? (int)(left_us / 1000 + 1) : 0;
    }
    return ready;
}

static int wait_once(
    struct loop *loop, struct pollfd *fds, size_t count, long long until_us, bool *is_short)
{
    struct wait wait = {
        .fiber = fiber_here(),
        .fds = fds,
        .count = count,
        .until_us = until_us,
    };
    begin(loop, &wait);
    fiber_leave();
    int ready = end(loop, &wait);
    *is_short = wait.is_short;
    return ready == 0 && wait.is_short ? poll_alone(fds, count, 0) : ready;
}

int loop_poll(struct pollfd *fds, size_t count, int wait_ms)
{
    struct loop *loop = loop_of_thread();
    if (!loop || !fiber_here() || wait_ms == 0)
        return poll_alone(fds, count, wait_ms);
    long long until_us = wait_ms < 0 ? LLONG_MAX : log_clock_us() + wait_ms * 1000LL;
    bool is_short;
    int ready;
    do
        ready = wait_once(loop, fds, count, until_us, &is_short);
    while (ready == 0 && is_short && log_clock_us() < until_us);
    return ready;
}

/* --- for who runs it --- */

static unsigned take_event(struct loop *loop, const struct epoll_event *event)
{
    uint64_t data = event->data.u64;
    if (data & BELL)
        return event->events ? 1U << (unsigned)(data & ~BELL) : 0;
    struct watch *watch = &loop->watches[data & UINT32_MAX];
    struct wait *wait = watch->wait;
    if (!wait || (watch->turn & TURN_MASK) != data >> 32)
        return 0;
    wait->fds[watch->index].revents = (short)event->events;
    end_wait(loop, wait);
    return 0;
}

static int wait_of(const struct loop *loop, long long until_us)
{
    if (loop->over)
        return 0;
    if (loop->heap_count > 0 && loop->heap[0]->until_us < until_us)
        until_us = loop->heap[0]->until_us;
    long long left_us = until_us == LLONG_MAX ? WAIT_MAX_MS * 1000LL : until_us - log_clock_us();
    if (left_us <= 0)
        return 0;
    return left_us / 1000 < WAIT_MAX_MS ? (int)((left_us + 999) / 1000) : WAIT_MAX_MS;
}

static void end_late(struct loop *loop, long long now_us)
{
    while (loop->heap_count > 0 && loop->heap[0]->until_us <= now_us) {
        struct wait *wait = loop->heap[0];
        remove_time(loop, wait);
        end_wait(loop, wait);
    }
}

unsigned loop_wait(struct loop *loop, long long until_us)
{
    struct epoll_event events[EVENTS_MAX];
    unsigned bells = 0;
    int count = epoll_wait(loop->epoll, events, EVENTS_MAX, wait_of(loop, until_us));
    for (int i = 0; i < count; i++)
        bells |= take_event(loop, &events[i]);
    if (loop->heap_count > 0)
        end_late(loop, log_clock_us());
    return bells;
}

struct fiber *loop_next(struct loop *loop)
{
    struct wait *wait = loop->over;
    if (!wait)
        return NULL;
    loop->over = wait->next;
    if (!loop->over)
        loop->over_end = &loop->over;
    return wait->fiber;
}
