/* live: the configuration in use, which a reload swaps for another as a whole.
 *
 * Requests take it without a lock and without a count that they would share: each thread notes in a
 * slot of its own what it uses, and looks whether that is still what is in use (a hazard pointer).
 * Whoever swaps looks into all slots afterwards and frees what stands in none. What must outlive a
 * reload (connections, counters) is never part of a configuration. Knows nothing of requests and
 * signals.
 */
#include "live.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "cache.h"
#include "coalesce.h"
#include "good_copy.h"
#include "unshared.h"
#include "upstream_state.h"

#define CACHE_LINE 64 /* a slot has its own: it is written twice per request */

/* One reading of the file. */
struct edition {
    struct arena arena;
    struct config *config; /* in the arena; NULL where the file has mistakes */
    struct edition *older; /* in the list of those that were replaced */
};

struct live_slot {
    _Alignas(CACHE_LINE) _Atomic(struct edition *) held; /* NULL between requests */
    struct live *live;
    struct live_slot *next;
};

struct live {
    const char *file;
    struct good_copy copy;         /* of the text of what is in use */
    struct upstream_states states; /* what all editions share; of the thread that reloads */
    _Atomic(struct edition *) current;
    struct edition *replaced; /* not freed yet; only of the thread that reloads */
    struct cache *cache;      /* these three and the states outlive every edition */
    struct coalescer *coalescer;
    struct unshared *unshared;
    pthread_mutex_t lock; /* of the list of slots: taken when threads come and go */
    struct live_slot *slots;
};

static void edition_free(struct edition *edition)
{
    arena_clear(&edition->arena);
    free(edition);
}

/* NULL where the file has mistakes. */
static struct edition *edition_read(const char *file, FILE *out, bool is_known)
{
    struct edition *edition = calloc(1, sizeof *edition);
    if (!edition)
        abort(); /* as the arena does */
    arena_init(&edition->arena);
    edition->config = is_known ? config_read_again(file, &edition->arena, out)
                               : config_read(file, &edition->arena, out);
    if (edition->config)
        return edition;
    edition_free(edition);
    return NULL;
}

/* An edition comes into use: it gets what is not its own. */
static void attach(struct live *live, struct edition *edition)
{
    struct config *config = edition->config;
    config->cache = live->cache;
    config->coalescer = live->coalescer;
    config->unshared = live->unshared;
    cache_resize(live->cache, (size_t)config->cache_bytes);
    upstream_states_attach(&live->states, config->upstreams, config->upstream_count);
}

/* One that was in use is used by nobody any more. */
static void retire(struct live *live, struct edition *edition)
{
    struct config *config = edition->config;
    upstream_states_detach(&live->states, config->upstreams, config->upstream_count);
    edition_free(edition);
}

struct live *live_new(const char *file, FILE *out)
{
    struct live *live = calloc(1, sizeof *live);
    if (!live)
        abort();
    live->file = file;
    good_copy_open(&live->copy);
    struct edition *edition = NULL;
    if (live->copy.is_found)
        edition = edition_read(live->copy.path, out, true);
    if (!edition)
        edition = edition_read(file, out, false);
    if (!edition) {
        free(live);
        return NULL;
    }
    live->cache = cache_new(0);
    live->coalescer = coalescer_new();
    live->unshared = unshared_new();
    if (!live->cache || !live->coalescer || !live->unshared)
        abort();
    attach(live, edition);
    good_copy_keep(&live->copy, edition->config->text);
    atomic_init(&live->current, edition);
    pthread_mutex_init(&live->lock, NULL);
    return live;
}

void live_free(struct live *live)
{
    for (struct edition *edition = live->replaced; edition;) {
        struct edition *older = edition->older;
        retire(live, edition);
        edition = older;
    }
    retire(live, atomic_load(&live->current));
    pthread_mutex_destroy(&live->lock);
    cache_free(live->cache);
    coalescer_free(live->coalescer);
    unshared_free(live->unshared);
    free(live);
}

struct live_slot *live_join(struct live *live)
{
    struct live_slot *slot = aligned_alloc(_Alignof(struct live_slot), sizeof *slot);
    if (!slot)
        return NULL;
    atomic_init(&slot->held, NULL);
    slot->live = live;
    pthread_mutex_lock(&live->lock);
    slot->next = live->slots;
    live->slots = slot;
    pthread_mutex_unlock(&live->lock);
    return slot;
}

void live_leave(struct live_slot *slot)
{
    struct live *live = slot->live;
    pthread_mutex_lock(&live->lock);
    struct live_slot **link = &live->slots;
    while (*link != slot)
        link = &(*link)->next;
    *link = slot->next;
    pthread_mutex_unlock(&live->lock);
    free(slot);
}

/* Noted first and looked at again: if it is still in use then, whoever replaces it later sees the
 * note. All of these accesses have one order (seq_cst); with less the second look could come before
 * the note. */
struct config *live_take(struct live_slot *slot)
{
    struct edition *edition;
    do {
        edition = atomic_load(&slot->live->current);
        atomic_store(&slot->held, edition);
    } while (edition != atomic_load(&slot->live->current));
    return edition->config;
}

void live_release(struct live_slot *slot)
{
    atomic_store_explicit(&slot->held, NULL, memory_order_release);
}

/* A thread that crashed never comes back for its slot: what it held is held until the process
 * starts anew, which it does soon. */
static bool is_held(struct live *live, const struct edition *edition)
{
    struct live_slot *slot = live->slots;
    while (slot && atomic_load(&slot->held) != edition)
        slot = slot->next;
    return slot != NULL;
}

static void free_unheld(struct live *live)
{
    pthread_mutex_lock(&live->lock);
    struct edition **link = &live->replaced;
    while (*link) {
        struct edition *edition = *link;
        if (is_held(live, edition)) {
            link = &edition->older;
        } else {
            *link = edition->older;
            retire(live, edition);
        }
    }
    pthread_mutex_unlock(&live->lock);
}

bool live_reload(struct live *live, FILE *out)
{
    struct edition *edition = edition_read(live->file, out, false);
    if (edition) {
        /* First: or a server that was taken away would still be known when it comes back. */
        free_unheld(live);
        attach(live, edition);
        struct edition *before = atomic_exchange(&live->current, edition);
        before->older = live->replaced;
        live->replaced = before;
        good_copy_keep(&live->copy, edition->config->text);
    }
    free_unheld(live);
    return edition != NULL;
}

const struct config *live_config(const struct live *live)
{
    return atomic_load(&live->current)->config;
}

int live_kept_fd(const struct live *live)
{
    return live->copy.fd;
}
