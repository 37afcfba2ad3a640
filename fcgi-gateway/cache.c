/* cache: replies that are kept, bounded in bytes; what was not used for longest goes first.
 *
 * Several shards, each with its own lock, table and list, so that threads seldom meet. An entry is
 * in two tables: by its key, to be found, and by its path, to be purged without looking at all
 * others.
 */
#include "cache.h"
#include <pthread.h>
#include <stdlib.h>
#include "hash.h"

#define SHARDS 8 /* a power of two */
#define BUCKETS_FIRST 64
#define VARIANTS_MAX 16 /* replies under one key: a client that varies must not fill a chain */
#define MARKS 1024      /* paths that share one are purged together as far as marks go */
#define REPLY_MAX (1024 * 1024) /* larger ones gain little and push out many */

struct entry {
    struct entry *next;                   /* in its bucket by key */
    struct entry *path_next, **path_link; /* in its bucket by path */
    struct entry *newer, *older;          /* by use */
    struct stored *stored;
    uint64_t key_hash, path_hash;
    size_t bytes;
    struct str key, path; /* behind the entry, in the same memory */
};

struct shard {
    pthread_mutex_t lock;
    struct entry **by_key, **by_path; /* tables of the same size, a power of two */
    size_t bucket_count, entry_count;
    struct entry *newest, *oldest;
    size_t bytes;
    unsigned long long evicted;
};

struct cache {
    struct hash_seed seed;
    atomic_size_t bytes_max;
    struct shard shards[SHARDS];
    atomic_uint marks[MARKS];
    atomic_uint purges;
};

/* --- one shard, whose lock the caller holds --- */

static struct entry **bucket(struct entry **table, const struct shard *shard, uint64_t hash)
{
    return &table[(hash / SHARDS) & (shard->bucket_count - 1)];
}

static void link_path(struct shard *shard, struct entry *entry)
{
    struct entry **first = bucket(shard->by_path, shard, entry->path_hash);
    entry->path_next = *first;
    entry->path_link = first;
    if (*first)
        (*first)->path_link = &entry->path_next;
    *first = entry;
}

static void link_key(struct shard *shard, struct entry *entry)
{
    struct entry **first = bucket(shard->by_key, shard, entry->key_hash);
    entry->next = *first;
    *first = entry;
}

static void link_newest(struct shard *shard, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    if (shard->newest)
        shard->newest->newer = entry;
    else
        shard->oldest = entry;
    shard->newest = entry;
}

static void unlink_use(struct shard *shard, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &shard->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
}

static void remove_entry(struct shard *shard, struct entry *entry)
{
    struct entry **link = bucket(shard->by_key, shard, entry->key_hash);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    *entry->path_link = entry->path_next;
    if (entry->path_next)
        entry->path_next->path_link = entry->path_link;
    unlink_use(shard, entry);
    shard->bytes -= entry->bytes;
    shard->entry_count--;
    stored_release(entry->stored);
    free(entry);
}

/* Twice the buckets; without memory the chains just become longer. */
static void grow(struct shard *shard)
{
    size_t count = shard->bucket_count * 2;
    struct entry **by_key = calloc(count, sizeof(struct entry *));
    struct entry **by_path = calloc(count, sizeof(struct entry *));
    if (!by_key || !by_path) {
        free(by_key);
        free(by_path);
        return;
    }
    free(shard->by_key);
    free(shard->by_path);
    shard->by_key = by_key;
    shard->by_path = by_path;
    shard->bucket_count = count;
    for (struct entry *entry = shard->oldest; entry; entry = entry->newer) {
        link_key(shard, entry);
        link_path(shard, entry);
    }
}

static bool is_under(const struct entry *entry, uint64_t hash, struct str key)
{
    return entry->key_hash == hash && str_eq(entry->key, key);
}

/* The entry that fits; how many are under the key; the one of them that was kept first. */
static struct entry *find(struct shard *shard, uint64_t hash, struct str key,
    const struct cache_asker *asker, unsigned *count, struct entry **first)
{
    struct entry *fitting = NULL;
    *count = 0;
    *first = NULL;
    for (struct entry *entry = *bucket(shard->by_key, shard, hash); entry; entry = entry->next) {
        if (!is_under(entry, hash, key))
            continue;
        ++*count;
        *first = entry; /* new ones come in front */
        if (!fitting && asker->fits(asker->context, entry->stored))
            fitting = entry;
    }
    return fitting;
}

static void evict_to(struct shard *shard, size_t bytes)
{
    while (shard->bytes > bytes && shard->oldest) {
        remove_entry(shard, shard->oldest);
        shard->evicted++;
    }
}

/* --- all of them --- */

static struct shard *shard_of(struct cache *cache, uint64_t hash)
{
    return &cache->shards[hash % SHARDS];
}

static size_t shard_max(const struct cache *cache)
{
    return atomic_load_explicit(&cache->bytes_max, memory_order_relaxed) / SHARDS;
}

struct cache *cache_new(size_t bytes_max)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->seed = hash_seed_new();
    atomic_init(&cache->bytes_max, bytes_max);
    bool is_whole = true;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->bucket_count = BUCKETS_FIRST;
        shard->by_key = calloc(BUCKETS_FIRST, sizeof(struct entry *));
        shard->by_path = calloc(BUCKETS_FIRST, sizeof(struct entry *));
        is_whole &= shard->by_key && shard->by_path;
    }
    if (is_whole)
        return cache;
    cache_free(cache);
    return NULL;
}

void cache_free(struct cache *cache)
{
    for (unsigned i = 0; cache && i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        evict_to(shard, 0);
        free(shard->by_key);
        free(shard->by_path);
        pthread_mutex_destroy(&shard->lock);
    }
    free(cache);
}

void cache_resize(struct cache *cache, size_t bytes_max)
{
    atomic_store(&cache->bytes_max, bytes_max);
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        evict_to(shard, bytes_max / SHARDS);
        pthread_mutex_unlock(&shard->lock);
    }
}

size_t cache_reply_max(const struct cache *cache)
{
    size_t half = shard_max(cache) / 2;
    return half < REPLY_MAX ? half : REPLY_MAX;
}

struct stored *cache_find(
    struct cache *cache, const struct cache_key *key, const struct cache_asker *asker)
{
    uint64_t hash = hash_text(cache->seed, key->text);
    struct shard *shard = shard_of(cache, hash);
    struct stored *stored = NULL;
    unsigned count;
    struct entry *first;
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find(shard, hash, key->text, asker, &count, &first);
    if (entry) {
        stored = stored_use(entry->stored);
        unlink_use(shard, entry);
        link_newest(shard, entry);
    }
    pthread_mutex_unlock(&shard->lock);
    return stored;
}

static atomic_uint *mark_of(const struct cache *cache, struct str path)
{
    return (atomic_uint *)&cache->marks[hash_text(cache->seed, path) % MARKS];
}

unsigned cache_mark(const struct cache *cache, struct str path)
{
    return atomic_load(mark_of(cache, path));
}

unsigned cache_purges(const struct cache *cache)
{
    return atomic_load(&cache->purges);
}

static struct entry *new_entry(
    const struct cache *cache, const struct cache_key *key, uint64_t hash, struct stored *stored)
{
    size_t size = sizeof(struct entry) + key->text.len + key->path.len;
    struct entry *entry = malloc(size);
    if (!entry)
        return NULL;
    char *at = (char *)(entry + 1);
    memcpy(at, key->text.at, key->text.len);
    memcpy(at + key->text.len, key->path.at, key->path.len);
    *entry = (struct entry){ .key_hash = hash,
        .path_hash = hash_text(cache->seed, key->path),
        .bytes = size + stored->bytes,
        .key = { at, key->text.len },
        .path = { at + key->text.len, key->path.len } };
    return entry;
}

/* Puts the entry in, in place of the one that fits. */
static void put(struct shard *shard, struct entry *entry, const struct cache_asker *asker)
{
    unsigned count;
    struct entry *first;
    struct entry *former = find(shard, entry->key_hash, entry->key, asker, &count, &first);
    if (former || count == VARIANTS_MAX)
        remove_entry(shard, former ? former : first);
    if (shard->entry_count >= shard->bucket_count)
        grow(shard);
    link_key(shard, entry);
    link_path(shard, entry);
    link_newest(shard, entry);
    shard->bytes += entry->bytes;
    shard->entry_count++;
}

bool cache_keep(struct cache *cache, const struct cache_key *key, const struct cache_asker *asker,
    unsigned mark, struct stored *stored)
{
    uint64_t hash = hash_text(cache->seed, key->text);
    struct shard *shard = shard_of(cache, hash);
    struct entry *entry = new_entry(cache, key, hash, stored);
    if (!entry || entry->bytes > shard_max(cache)) {
        free(entry);
        return false;
    }
    pthread_mutex_lock(&shard->lock);
    /* Under the lock: a purge changes the mark first and takes this lock then. */
    bool is_current = cache_mark(cache, key->path) == mark;
    if (is_current) {
        entry->stored = stored_use(stored);
        put(shard, entry, asker);
        evict_to(shard, shard_max(cache));
    }
    pthread_mutex_unlock(&shard->lock);
    if (!is_current)
        free(entry);
    return is_current;
}

void cache_drop(struct cache *cache, const struct cache_key *key, const struct cache_asker *asker)
{
    uint64_t hash = hash_text(cache->seed, key->text);
    struct shard *shard = shard_of(cache, hash);
    unsigned count;
    struct entry *first;
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find(shard, hash, key->text, asker, &count, &first);
    if (entry)
        remove_entry(shard, entry);
    pthread_mutex_unlock(&shard->lock);
}

/* --- purges --- */

static size_t purge_path(struct shard *shard, uint64_t hash, struct str path)
{
    size_t count = 0;
    struct entry *next;
    for (struct entry *entry = *bucket(shard->by_path, shard, hash); entry; entry = next) {
        next = entry->path_next;
        if (entry->path_hash != hash || !str_eq(entry->path, path))
            continue;
        remove_entry(shard, entry);
        count++;
    }
    return count;
}

static size_t purge_prefix(struct shard *shard, struct str prefix)
{
    size_t count = 0;
    struct entry *newer;
    for (struct entry *entry = shard->oldest; entry; entry = newer) {
        newer = entry->newer;
        if (entry->path.len < prefix.len || memcmp(entry->path.at, prefix.at, prefix.len) != 0)
            continue;
        remove_entry(shard, entry);
        count++;
    }
    return count;
}

static size_t purge(struct cache *cache, struct str path, bool is_prefix)
{
    uint64_t hash = hash_text(cache->seed, path);
    size_t count = 0;
    atomic_fetch_add(&cache->purges, 1);
    for (unsigned i = 0; is_prefix && i < MARKS; i++)
        atomic_fetch_add(&cache->marks[i], 1);
    if (!is_prefix)
        atomic_fetch_add(mark_of(cache, path), 1);
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        if (is_prefix)
            count += purge_prefix(shard, path);
        else
            count += purge_path(shard, hash, path);
        pthread_mutex_unlock(&shard->lock);
    }
    return count;
}

size_t cache_purge(struct cache *cache, struct str pattern)
{
    bool is_prefix = pattern.len > 0 && pattern.at[pattern.len - 1] == '*';
    return purge(cache, (struct str){ pattern.at, pattern.len - is_prefix }, is_prefix);
}

size_t cache_purge_path(struct cache *cache, struct str path)
{
    return purge(cache, path, false);
}

struct cache_figures cache_figures(struct cache *cache)
{
    struct cache_figures figures = { .bytes_max = atomic_load(&cache->bytes_max) };
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        figures.replies += shard->entry_count;
        figures.bytes += shard->bytes;
        figures.evicted += shard->evicted;
        pthread_mutex_unlock(&shard->lock);
    }
    return figures;
}
