/* watcher: tells of clients that have gone where the web server does not look: one thread asks for
 * all of them.
 *
 * When each thread asked for its own, thousands that waited took a whole core with being woken.
 * The thread is there only while there is somebody to watch, and a moment longer. */
#include "watcher.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Together with what a request lasts before it is watched: no call outlives its client by 100 ms.
 */
#define LOOK_MS 50

#define IDLE_LOOKS_MAX 20 /* so many without anybody to look at, and the thread ends */

#define STACK_SIZE (64 * 1024)

struct seat {
    struct peer peer;
    int fd;          /* -1: the seat is free */
    int next_free;   /* of a free one */
    unsigned serial; /* of who sits there, so that an answer is not taken for the next one's */
};

struct watcher {
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool is_ending;
    bool has_thread; /* it must be joined, though it may have ended by itself */
    bool is_running;
    pthread_t thread;
    struct seat *seats;
    unsigned seat_count, taken;
    int first_free;
};

/* Some of those that are watched, on the way to the kernel and back. */
struct batch {
    unsigned count;
    unsigned seats[PEER_ASK_MAX], serials[PEER_ASK_MAX];
    struct peer peers[PEER_ASK_MAX];
};

struct watcher *watcher_new(void)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    pthread_condattr_t monotonic;
    if (!watcher)
        return NULL;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watcher->end, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&watcher->lock, NULL);
    watcher->first_free = WATCHER_NO_SEAT;
    return watcher;
}

void watcher_free(struct watcher *watcher)
{
    if (!watcher)
        return;
    pthread_mutex_lock(&watcher->lock);
    watcher->is_ending = true;
    pthread_cond_signal(&watcher->end);
    pthread_mutex_unlock(&watcher->lock);
    if (watcher->has_thread)
        pthread_join(watcher->thread, NULL);
    pthread_mutex_destroy(&watcher->lock);
    pthread_cond_destroy(&watcher->end);
    free(watcher->seats);
    free(watcher);
}

/* --- the thread, with the lock held but where it waits --- */

static void wait_a_while(struct watcher *watcher)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (
        !watcher->is_ending && pthread_cond_timedwait(&watcher->end, &watcher->lock, &until) == 0)
        ;
}

/* From seat `from` on. Returns where to go on. */
static unsigned gather(const struct watcher *watcher, unsigned from, struct batch *batch)
{
    batch->count = 0;
    for (; from < watcher->seat_count && batch->count < PEER_ASK_MAX; from++) {
        const struct seat *seat = &watcher->seats[from];
        if (seat->fd < 0 || seat->peer.is_gone)
            continue;
        batch->seats[batch->count] = from;
        batch->serials[batch->count] = seat->serial;
        batch->peers[batch->count++] = seat->peer;
    }
    return from;
}

static void tell(const struct watcher *watcher, const struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        struct seat *seat = &watcher->seats[batch->seats[i]];
        if (seat->fd < 0 || seat->serial != batch->serials[i])
            continue;
        seat->peer = batch->peers[i];
        if (seat->peer.is_gone)
            shutdown(seat->fd, SHUT_RD);
    }
}

/* The kernel is asked without the lock: nobody who comes or goes has to wait for its answer. */
static void look_at_all(struct watcher *watcher, int kernel, unsigned *number)
{
    struct batch batch;
    for (unsigned from = 0; from < watcher->seat_count;) {
        from = gather(watcher, from, &batch);
        pthread_mutex_unlock(&watcher->lock);
        peer_ask(kernel, number, batch.peers, batch.count);
        pthread_mutex_lock(&watcher->lock);
        tell(watcher, &batch);
    }
}

static void *run(void *argument)
{
    struct watcher *watcher = argument;
    int kernel = peer_open();
    unsigned number = 0; /* of questions to the kernel */
    pthread_mutex_lock(&watcher->lock);
    for (int idle = 0; idle < IDLE_LOOKS_MAX && !watcher->is_ending;) {
        wait_a_while(watcher);
        if (kernel < 0)
            kernel = peer_open(); /* there may be a descriptor again */
        look_at_all(watcher, kernel, &number);
        idle = watcher->taken > 0 ? 0 : idle + 1;
    }
    watcher->is_running = false;
    pthread_mutex_unlock(&watcher->lock);
    if (kernel >= 0)
        close(kernel);
    return NULL;
}

/* --- who has clients, with the lock held --- */

static bool ensure_thread(struct watcher *watcher)
{
    pthread_attr_t attributes;
    if (watcher->is_running)
        return true;
    if (watcher->has_thread)
        pthread_join(watcher->thread, NULL); /* it has let go of the lock already */
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    watcher->has_thread = watcher->is_running =
        pthread_create(&watcher->thread, &attributes, run, watcher) == 0;
    pthread_attr_destroy(&attributes);
    return watcher->is_running;
}

static bool ensure_seat(struct watcher *watcher)
{
    unsigned count = watcher->seat_count ? 2 * watcher->seat_count : 16;
    if (watcher->first_free != WATCHER_NO_SEAT)
        return true;
    struct seat *seats = realloc(watcher->seats, count * sizeof(*seats));
    if (!seats)
        return false;
    watcher->seats = seats;
    for (unsigned i = watcher->seat_count; i < count; i++) {
        seats[i] = (struct seat){ .fd = -1, .next_free = watcher->first_free };
        watcher->first_free = (int)i;
    }
    watcher->seat_count = count;
    return true;
}

int watcher_add(struct watcher *watcher, const struct peer *peer, int fd)
{
    int number = WATCHER_NO_SEAT;
    pthread_mutex_lock(&watcher->lock);
    if (ensure_seat(watcher) && ensure_thread(watcher)) {
        number = watcher->first_free;
        struct seat *seat = &watcher->seats[number];
        watcher->first_free = seat->next_free;
        *seat = (struct seat){ .peer = *peer, .fd = fd, .serial = seat->serial + 1 };
        watcher->taken++;
    }
    pthread_mutex_unlock(&watcher->lock);
    return number;
}

void watcher_remove(struct watcher *watcher, int seat)
{
    if (seat == WATCHER_NO_SEAT)
        return;
    pthread_mutex_lock(&watcher->lock);
    watcher->seats[seat].fd = -1;
    watcher->seats[seat].next_free = watcher->first_free;
    watcher->first_free = seat;
    watcher->taken--;
    pthread_mutex_unlock(&watcher->lock);
}
