/* coalesce: identical requests at the same time share one reply: the first asks, the others wait.
 *
 * A lock of a shard covers its flights and all seats in them. It is held for pointers and for
 * waking followers, never during a wait. A seat is in a flight, or it is nobody's but its
 * request's: who takes a seat off says in the same breath what becomes of it.
 */
#include "coalesce.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "hash.h"
#include "lib/fiber.h"
#include "lib/guard.h"
#include "lib/log.h"
#include "lib/loop.h"

#define SHARDS 16 /* a power of two */
#define BUCKETS 64
#define DAY_MS (24 * 60 * 60 * 1000)

struct flight {
    struct flight *next; /* in its bucket */
    uint64_t hash;
    struct coalesce_seat *first, **end; /* those who wait, in the order of their coming */
    unsigned followers;
    const void *leader; /* of fiber_self */
    bool is_left;       /* its leader has crashed: whoever comes next leads */
    atomic_llong moved_us;
    size_t key_len;
    char key[];
};

struct shard {
    pthread_mutex_t lock;
    struct flight *flights[BUCKETS];
};

struct coalescer {
    struct hash_seed seed;
    struct shard shards[SHARDS];
};

struct coalescer *coalescer_new(void)
{
    struct coalescer *coalescer = calloc(1, sizeof *coalescer);
    if (!coalescer)
        return NULL;
    coalescer->seed = hash_seed_new();
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_init(&coalescer->shards[i].lock, NULL);
    return coalescer;
}

void coalescer_free(struct coalescer *coalescer)
{
    for (unsigned i = 0; coalescer && i < SHARDS; i++)
        pthread_mutex_destroy(&coalescer->shards[i].lock);
    free(coalescer);
}

static struct shard *shard_of(struct coalescer *coalescer, uint64_t hash)
{
    return &coalescer->shards[hash % SHARDS];
}

static struct flight **bucket(struct shard *shard, uint64_t hash)
{
    return &shard->flights[hash / SHARDS % BUCKETS];
}

static struct flight *find(struct shard *shard, uint64_t hash, struct str key)
{
    for (struct flight *flight = *bucket(shard, hash); flight; flight = flight->next)
        if (flight->hash == hash && str_eq((struct str){ flight->key, flight->key_len }, key))
            return flight;
    return NULL;
}

static struct flight *begin(struct shard *shard, uint64_t hash, struct str key)
{
    struct flight *flight = malloc(sizeof *flight + key.len);
    if (!flight)
        return NULL;
    *flight = (struct flight){
        .next = *bucket(shard, hash), .hash = hash, .leader = fiber_self(), .key_len = key.len
    };
    flight->end = &flight->first;
    memcpy(flight->key, key.at, key.len);
    *bucket(shard, hash) = flight;
    return flight;
}

static void lead(struct flight *flight, struct coalesce_seat *seat)
{
    seat->flight = flight;
    flight->leader = seat->owner;
    flight->is_left = false;
    atomic_store_explicit(&flight->moved_us, 0, memory_order_relaxed);
}

/* False where there are too many, or no descriptor is left. */
static bool follow(struct flight *flight, struct coalesce_seat *seat)
{
    if (flight->followers == COALESCE_FOLLOWERS_MAX)
        return false;
    seat->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (seat->wake_fd < 0)
        return false;
    seat->flight = flight;
    seat->link = flight->end;
    *flight->end = seat;
    flight->end = &seat->next;
    flight->followers++;
    return true;
}

enum coalesce_role coalesce_join(
    struct coalescer *coalescer, struct str key, long long deadline_us, struct coalesce_seat *seat)
{
    uint64_t hash = hash_text(coalescer->seed, key);
    struct shard *shard = shard_of(coalescer, hash);
    *seat = (struct coalesce_seat){ .role = COALESCE_ALONE,
        .deadline_us = deadline_us,
        .hash = hash,
        .owner = fiber_self(),
        .wake_fd = -1 };
    pthread_mutex_lock(&shard->lock);
    struct flight *flight = find(shard, hash, key);
    enum coalesce_role role = COALESCE_ALONE;
    if (flight && flight->is_left) {
        lead(flight, seat);
        role = COALESCE_LEADS;
    } else if (flight) {
        role = follow(flight, seat) ? COALESCE_FOLLOWS : COALESCE_ALONE;
    } else {
        seat->flight = begin(shard, hash, key);
        role = seat->flight ? COALESCE_LEADS : COALESCE_ALONE;
    }
    seat->role = role;
    pthread_mutex_unlock(&shard->lock);
    return role; /* the seat's may be another already */
}

/* --- under the shard's lock --- */

static void take_off(struct coalesce_seat *seat)
{
    struct flight *flight = seat->flight;
    *seat->link = seat->next;
    if (seat->next)
        seat->next->link = seat->link;
    else
        flight->end = seat->link;
    flight->followers--;
}

/* The follower sees its new role when it has got the lock; until then its seat and its descriptor
 * stay. A full eventfd is one that wakes it anyway. */
static void wake(struct coalesce_seat *seat, enum coalesce_role role)
{
    take_off(seat);
    seat->role = role;
    ssize_t ignored = write(seat->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    (void)ignored;
}

static void end_flight(struct shard *shard, struct flight *flight)
{
    struct flight **link = bucket(shard, flight->hash);
    while (*link != flight)
        link = &(*link)->next;
    *link = flight->next;
    free(flight);
}

/* Nobody else who waits now has more time than the new leader: when that one has none left either,
 * only those who came since then do, and so the service is not asked by each in turn. */
static bool hand_over(struct flight *flight, long long later_than_us)
{
    struct coalesce_seat *heir = NULL;
    for (struct coalesce_seat *seat = flight->first; seat; seat = seat->next)
        if (seat->deadline_us > (heir ? heir->deadline_us : later_than_us))
            heir = seat;
    if (!heir)
        return false;
    lead(flight, heir);
    wake(heir, COALESCE_LEADS);
    return true;
}

/* --- the leader --- */

void coalesce_moved(struct coalesce_seat *seat)
{
    atomic_store_explicit(&seat->flight->moved_us, log_clock_us(), memory_order_relaxed);
}

/* Ends the leader's flight; every follower gets the role, and the reply where there is one. */
static void end_all(struct coalescer *coalescer, struct coalesce_seat *seat,
    enum coalesce_role role, struct stored *stored)
{
    struct flight *flight = seat->flight;
    struct shard *shard = shard_of(coalescer, flight->hash);
    pthread_mutex_lock(&shard->lock);
    while (flight->first) {
        flight->first->reply = stored_use(stored);
        wake(flight->first, role);
    }
    end_flight(shard, flight);
    pthread_mutex_unlock(&shard->lock);
    seat->flight = NULL;
    seat->role = COALESCE_ALONE;
}

void coalesce_land(struct coalescer *coalescer, struct coalesce_seat *seat, struct stored *stored)
{
    end_all(coalescer, seat, COALESCE_SERVED, stored);
}

void coalesce_land_old(
    struct coalescer *coalescer, struct coalesce_seat *seat, struct stored *stored)
{
    end_all(coalescer, seat, COALESCE_SERVED_OLD, stored);
}

void coalesce_abandon(struct coalescer *coalescer, struct coalesce_seat *seat)
{
    end_all(coalescer, seat, COALESCE_ALONE, NULL);
}

bool coalesce_hand_over(
    struct coalescer *coalescer, struct coalesce_seat *seat, long long later_than_us)
{
    struct flight *flight = seat->flight;
    struct shard *shard = shard_of(coalescer, flight->hash);
    pthread_mutex_lock(&shard->lock);
    bool is_done = hand_over(flight, later_than_us);
    pthread_mutex_unlock(&shard->lock);
    if (is_done) {
        seat->flight = NULL;
        seat->role = COALESCE_ALONE;
    }
    return is_done;
}

/* --- a follower --- */

/* Milliseconds to wait, at most a day; 0: the deadline has passed. */
static int time_left_ms(const struct coalesce_seat *seat, long long silence_us)
{
    long long now_us = log_clock_us(), deadline_us = seat->deadline_us;
    long long moved_us = atomic_load_explicit(&seat->flight->moved_us, memory_order_relaxed);
    if (silence_us && moved_us && moved_us + silence_us > deadline_us)
        deadline_us = moved_us + silence_us;
    long long left_ms = deadline_us > now_us ? (deadline_us - now_us) / 1000 + 1 : 0;
    return left_ms < DAY_MS ? (int)left_ms : DAY_MS;
}

/* Waits once. Returns COALESCE_FOLLOWS where something may have changed. */
static enum coalesce_role wait_once(
    const struct coalesce_seat *seat, int wait_ms, const struct coalesce_client *client)
{
    struct pollfd fds[] = {
        { .fd = seat->wake_fd, .events = POLLIN },
        { .fd = client ? client->fd : -1, .events = POLLIN },
    };
    int client_ms = client ? client->wait_ms(client->context) : wait_ms;
    int count = loop_poll(fds, 2, client_ms < wait_ms ? client_ms : wait_ms);
    bool is_gone = count > 0 && !fds[0].revents && fds[1].revents;
    return is_gone ? COALESCE_GONE : COALESCE_FOLLOWS;
}

enum coalesce_role coalesce_wait(struct coalescer *coalescer, struct coalesce_seat *seat,
    long long silence_us, const struct coalesce_client *client)
{
    struct shard *shard = shard_of(coalescer, seat->hash); /* the flight may have ended already */
    enum coalesce_role end = COALESCE_FOLLOWS;
    pthread_mutex_lock(&shard->lock);
    while (seat->role == COALESCE_FOLLOWS) {
        int wait_ms = time_left_ms(seat, silence_us);
        if (end == COALESCE_FOLLOWS && wait_ms == 0)
            end = COALESCE_LATE;
        if (end != COALESCE_FOLLOWS) {
            take_off(seat);
            seat->role = end;
            break;
        }
        pthread_mutex_unlock(&shard->lock);
        end = wait_once(seat, wait_ms, client);
        pthread_mutex_lock(&shard->lock);
    }
    if (seat->role != COALESCE_LEADS)
        seat->flight = NULL;
    pthread_mutex_unlock(&shard->lock);
    close(seat->wake_fd);
    seat->wake_fd = -1;
    return seat->role;
}

/* --- after a crash, under the shard's lock --- */

static void take_off_all_of(struct flight *flight, const void *owner)
{
    struct coalesce_seat *next;
    for (struct coalesce_seat *seat = flight->first; seat; seat = next) {
        next = seat->next;
        if (seat->owner == owner)
            take_off(seat);
    }
}

/* A flight that nobody is in any more stays: nothing is freed, as the heap may be damaged. */
static void forget(struct shard *shard, const void *owner)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        for (struct flight *flight = shard->flights[i]; flight; flight = flight->next) {
            take_off_all_of(flight, owner);
            if (!flight->is_left && flight->leader == owner)
                flight->is_left = !hand_over(flight, 0);
        }
}

bool coalesce_crashed(struct coalescer *coalescer)
{
    bool is_free = true;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &coalescer->shards[i];
        if (!guard_lock(&shard->lock)) {
            is_free = false;
            continue;
        }
        forget(shard, fiber_self());
        pthread_mutex_unlock(&shard->lock);
    }
    return is_free;
}
