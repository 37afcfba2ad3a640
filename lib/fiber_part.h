/* fiber_part: what a fiber looks like in memory: for fiber.c, and for a test that makes one crash.
 */
#ifndef LIB_FIBER_PART_H
#define LIB_FIBER_PART_H

#include <setjmp.h>
#include <stdbool.h>
#include <ucontext.h>
#include "fiber.h"

/* What a handler needs is small (bodies live in arenas), and of what is reserved nothing is there
 * before it is used. The guard is larger than a frame that could skip it. */
#define FIBER_STACK_SIZE (256 * 1024)
#define FIBER_GUARD_SIZE (64 * 1024)

struct fiber {
    ucontext_t start;
#if defined(__SANITIZE_THREAD__)
    ucontext_t enterer_context;
#endif
    sigjmp_buf here, enterer;
    bool is_started;
    struct guard_place *place; /* where its code comes back to after a crash */
    void (*run)(void *argument);
    void *argument;
    void *memory;
    /* What sanitizers want to know of both sides. */
    void *own_side, *other_side;
    const void *other_stack;
    size_t other_size;
};

/* At the upper end of its stack. */
#define FIBER_SIZE ((sizeof(struct fiber) + 63) / 64 * 64)

#endif
