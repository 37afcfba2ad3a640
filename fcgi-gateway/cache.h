/* cache: replies that are kept, bounded in bytes; what was not used for longest goes first.
 *
 * One for the whole program, used by all threads. A lock is held for a look-up or a change of
 * pointers, never while a reply is sent. Does not know what makes a reply fresh. */
#ifndef GATEWAY_CACHE_H
#define GATEWAY_CACHE_H

#include <stddef.h>
#include "stored.h"

/* What a reply is kept under. */
struct cache_key {
    struct str text; /* tells it from all others, but for those of the same Vary */
    struct str path; /* the request's, in one spelling: for purges */
};

/* Who looks for a reply: has the request what this one was made for (RFC 9111 section 4.1)? Called
 * under a lock: quick, and nothing of the cache. */
struct cache_asker {
    bool (*fits)(void *context, const struct stored *stored);
    void *context;
};

struct cache;

/* Of at most so many bytes; 0: nothing is kept. NULL without memory. */
struct cache *cache_new(size_t bytes_max);
void cache_free(struct cache *cache);

/* At any time: what is too much goes at once. */
void cache_resize(struct cache *cache, size_t bytes_max);

/* The longest reply that is kept, in bytes. */
size_t cache_reply_max(const struct cache *cache);

/* What is kept under the key and fits, for one more user; or NULL. */
struct stored *cache_find(
    struct cache *cache, const struct cache_key *key, const struct cache_asker *asker);

/* Where this path's replies stand now; it changes with every purge of the path. To be asked before
 * the service is. */
unsigned cache_mark(const struct cache *cache, struct str path);

/* How often there was a purge of anything. */
unsigned cache_purges(const struct cache *cache);

/* Keeps a reply, in place of the one that fits. False, with nothing changed, where it is too large
 * or the path was purged since `mark`: what it says may have been true only before. */
bool cache_keep(struct cache *cache, const struct cache_key *key, const struct cache_asker *asker,
    unsigned mark, struct stored *stored);

/* Forgets what is kept under the key and fits. */
void cache_drop(struct cache *cache, const struct cache_key *key, const struct cache_asker *asker);

/* Forgets all that is kept of a path, under whatever key; with '*' at its end, of all paths that
 * begin so. Returns how many replies. */
size_t cache_purge(struct cache *cache, struct str pattern);

/* The same of just this path, whatever it ends with: for paths that a client chose. */
size_t cache_purge_path(struct cache *cache, struct str path);

/* For those who watch. */
struct cache_figures {
    size_t replies, bytes, bytes_max;
    unsigned long long evicted;
};
struct cache_figures cache_figures(struct cache *cache);

#endif
