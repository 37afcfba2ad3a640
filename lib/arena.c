/* arena: hands out pieces of a list of blocks, and gives all blocks back at once.
 *
 * Usual blocks are filled piece by piece. A big piece has a block of its own, so that it neither
 * leaves the rest of a usual block unused nor has to be copied when it grows. Under
 * AddressSanitizer all that is not handed out is poisoned: a piece that is used after the reset, or
 * beyond its end, is reported like one from malloc.
 */
#include "arena.h"
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)16 * 1024) /* with its head; a usual request fits into one */
#define BIG_SIZE ((size_t)4 * 1024)    /* a larger piece has its own block: little is left unused */
#define ALIGNMENT ((size_t)16)         /* fits any type, long double included */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#endif

#ifdef POISONS
#include <sanitizer/asan_interface.h>
#define GAP ALIGNMENT /* between two pieces, so that a step over the end is seen */
#define forbid(bytes, size) ASAN_POISON_MEMORY_REGION(bytes, size)
#define allow(bytes, size) ASAN_UNPOISON_MEMORY_REGION(bytes, size)
#else
#define GAP ((size_t)0)
#define forbid(bytes, size) ((void)(bytes), (void)(size))
#define allow(bytes, size) ((void)(bytes), (void)(size))
#endif

struct arena_block {
    struct arena_block *next, *previous;
    size_t size; /* of bytes[] */
    size_t used; /* of bytes[]; all of it in a big piece's block */
    alignas(16) char bytes[];
};

struct arena_ending {
    struct arena_ending *next;
    void (*release)(void *thing);
    void *thing;
};

void arena_init(struct arena *arena)
{
    arena->first = NULL;
    arena->now = NULL;
    arena->endings = NULL;
}

/* What a piece of `size` bytes takes of its block. Ends the request where the sum would overflow:
 * no such size can be had anyway. */
static size_t taken_by(size_t size)
{
    if (size > SIZE_MAX / 2) {
        abort();
    }
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GAP;
}

/* A block for `size` bytes behind the first one (or as the first one). */
static struct arena_block *add_block(struct arena *arena, size_t size)
{
    struct arena_block *block = malloc(sizeof *block + size);

    if (block == NULL) {
        abort();
    }
    block->size = size;
    block->used = 0;
    block->previous = arena->first;
    block->next = arena->first ? arena->first->next : NULL;
    if (block->next) {
        block->next->previous = block;
    }
    if (arena->first) {
        arena->first->next = block;
    } else {
        arena->first = block;
    }
    return block;
}

static void *alloc_big(struct arena *arena, size_t size)
{
    struct arena_block *block = add_block(arena, taken_by(size));

    block->used = block->size;
    forbid(block->bytes + size, block->size - size);
    return block->bytes;
}

static void start_block(struct arena *arena)
{
    arena->now = add_block(arena, BLOCK_SIZE - sizeof(struct arena_block));
    forbid(arena->now->bytes, arena->now->size);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t taken = taken_by(size);
    char *piece;

    /* The first block is a usual one, always: it is the one that is kept. */
    if (arena->now == NULL) {
        start_block(arena);
    }
    if (size > BIG_SIZE) {
        return alloc_big(arena, size);
    }
    if (taken > arena->now->size - arena->now->used) {
        start_block(arena);
    }
    piece = arena->now->bytes + arena->now->used;
    arena->now->used += taken;
    allow(piece, size);
    return piece;
}

void *arena_zero(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

/* A big piece has its block for itself, which realloc can make larger, often without copying. */
static void *grow_big(void *old, size_t size)
{
    struct arena_block *block =
        (struct arena_block *)((char *)old - offsetof(struct arena_block, bytes));
    size_t taken = taken_by(size);

    allow(block->bytes, block->size);
    block = realloc(block, sizeof *block + taken);
    if (block == NULL) {
        abort();
    }
    block->size = block->used = taken;
    block->previous->next = block; /* never NULL: the first block is a usual one */
    if (block->next) {
        block->next->previous = block;
    }
    forbid(block->bytes + size, block->size - size);
    return block->bytes;
}

/* Grows the newest piece of the block at its place; false where something is in the way. */
static bool grow_last(struct arena *arena, char *old, size_t old_size, size_t size)
{
    struct arena_block *block = arena->now;
    size_t before = block->used - taken_by(old_size);

    if (size > BIG_SIZE || old + taken_by(old_size) != block->bytes + block->used ||
        taken_by(size) > block->size - before) {
        return false;
    }
    block->used = before + taken_by(size);
    allow(old, size);
    return true;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size)
{
    void *piece;

    if (old_size > BIG_SIZE) {
        return size > old_size ? grow_big(old, size) : old;
    }
    if (old_size > 0 && grow_last(arena, old, old_size, size)) {
        return old;
    }
    piece = arena_alloc(arena, size);
    if (old_size > 0) {
        memcpy(piece, old, old_size < size ? old_size : size);
        forbid(old, old_size);
    }
    return piece;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    copy[len] = '\0';
    return copy;
}

void arena_at_end(struct arena *arena, void (*release)(void *thing), void *thing)
{
    struct arena_ending *ending = arena_alloc(arena, sizeof *ending);

    *ending = (struct arena_ending){ arena->endings, release, thing };
    arena->endings = ending;
}

static void call_endings(struct arena *arena)
{
    for (struct arena_ending *ending = arena->endings; ending; ending = ending->next) {
        ending->release(ending->thing);
    }
    arena->endings = NULL;
}

static void free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;

        allow(block->bytes, block->size);
        free(block);
        block = next;
    }
}

void arena_reset(struct arena *arena)
{
    if (arena->first == NULL) {
        return;
    }
    call_endings(arena);
    free_blocks(arena->first->next);
    arena->first->next = NULL;
    arena->first->used = 0;
    arena->now = arena->first;
    forbid(arena->first->bytes, arena->first->size);
}

void arena_clear(struct arena *arena)
{
    call_endings(arena);
    free_blocks(arena->first);
    arena_init(arena);
}
