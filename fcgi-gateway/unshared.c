/* unshared: remembers for a while whose replies are not for sharing, so that nobody waits for them.
 *
 * An entry is one number, so that it is read and written whole: half of the hash that it is for,
 * how often, and until when.
 */
#include "unshared.h"
#include <stdatomic.h>
#include <stdlib.h>
#include "hash.h"

#define ROUTES 256 /* powers of two */
#define REPLIES 4096

#define TIMES_SHIFT 28 /* below it the time: seconds, enough for eight years */
#define TIMES_MASK 0xFULL
#define UNTIL_MASK ((1ULL << TIMES_SHIFT) - 1)
#define TAG_MASK (~0ULL << 32)

struct unshared {
    struct hash_seed seed;
    _Atomic uint64_t routes[ROUTES], replies[REPLIES];
};

struct unshared *unshared_new(void)
{
    struct unshared *unshared = calloc(1, sizeof *unshared);
    if (unshared)
        unshared->seed = hash_seed_new();
    return unshared;
}

void unshared_free(struct unshared *unshared)
{
    free(unshared);
}

struct unshared_place unshared_place(
    const struct unshared *unshared, struct str route, struct str reply)
{
    return (struct unshared_place){ hash_text(unshared->seed, route),
        hash_text(unshared->seed, reply) };
}

/* How often it was noted for this hash, as long as that holds. */
static unsigned times(const _Atomic uint64_t *entry, uint64_t hash, long long now_us)
{
    uint64_t value = atomic_load_explicit(entry, memory_order_relaxed);
    bool holds =
        ((value ^ hash) & TAG_MASK) == 0 && (long long)(value & UNTIL_MASK) > now_us / 1000000;
    return holds ? (unsigned)(value >> TIMES_SHIFT & TIMES_MASK) : 0;
}

static void set(_Atomic uint64_t *entry, uint64_t hash, unsigned times, long long now_us)
{
    uint64_t until = ((uint64_t)now_us / 1000000 + UNSHARED_FOR_S) & UNTIL_MASK;
    atomic_store_explicit(
        entry, (hash & TAG_MASK) | (uint64_t)times << TIMES_SHIFT | until, memory_order_relaxed);
}

static void forget(_Atomic uint64_t *entry, uint64_t hash)
{
    uint64_t value = atomic_load_explicit(entry, memory_order_relaxed);
    if (value != 0 && ((value ^ hash) & TAG_MASK) == 0) /* nothing is written where nothing was */
        atomic_store_explicit(entry, 0, memory_order_relaxed);
}

bool unshared_is_likely(
    const struct unshared *unshared, const struct unshared_place *place, long long now_us)
{
    return times(&unshared->replies[place->reply % REPLIES], place->reply, now_us) > 0 ||
           times(&unshared->routes[place->route % ROUTES], place->route, now_us) >=
               UNSHARED_OF_ROUTE;
}

void unshared_note(struct unshared *unshared, const struct unshared_place *place, long long now_us)
{
    _Atomic uint64_t *reply = &unshared->replies[place->reply % REPLIES];
    _Atomic uint64_t *route = &unshared->routes[place->route % ROUTES];
    bool is_new = times(reply, place->reply, now_us) == 0;
    unsigned of_route = times(route, place->route, now_us) + is_new;
    set(reply, place->reply, 1, now_us);
    set(route, place->route, of_route < UNSHARED_OF_ROUTE ? of_route : UNSHARED_OF_ROUTE, now_us);
}

void unshared_forget(struct unshared *unshared, const struct unshared_place *place)
{
    forget(&unshared->replies[place->reply % REPLIES], place->reply);
    forget(&unshared->routes[place->route % ROUTES], place->route);
}
