/* arena: memory that belongs to one request and goes with it.
 *
 * A handler allocates and never frees; the request loop resets the arena between requests and keeps
 * its first block, so that a usual request costs no malloc at all. Not thread-safe: one owner.
 */
#ifndef LIB_ARENA_H
#define LIB_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena_ending;

struct arena {
    struct arena_block *first;    /* kept across resets */
    struct arena_block *now;      /* the block that is being filled */
    struct arena_ending *endings; /* the last that was asked for first */
};

/* An empty arena; it takes memory at the first allocation. */
void arena_init(struct arena *arena);

/* `size` bytes, aligned for any type, not cleared. Never NULL: out of memory ends the request (or
 * the program, outside of one) by abort(), which lib/guard turns into a 500. `size` may be 0. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same, all zero. */
void *arena_zero(struct arena *arena, size_t size);

/* `old` (from this arena, of `old_size` bytes; NULL where that is 0) made larger, at its place
 * where that can be done without copying. `old` is invalid afterwards. */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size);

/* A NUL-terminated copy of `len` bytes. */
char *arena_copy(struct arena *arena, const char *bytes, size_t len);

/* Calls release(thing) before the memory goes, at the next reset or clear: for what an allocation
 * owns outside of the arena. The last that was asked for comes first. */
void arena_at_end(struct arena *arena, void (*release)(void *thing), void *thing);

/* Makes every allocation invalid and keeps the first block for the next request. */
void arena_reset(struct arena *arena);

/* Gives everything back; the arena is as after arena_init. */
void arena_clear(struct arena *arena);

#endif
