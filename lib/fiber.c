/* fiber: a run of code that has a stack of its own.
 *
 * What makes a thread able to come back after a crash (guard) is part of a run of code and goes
 * with it from thread to thread. Nothing here may look at anything of the thread's after it has
 * come back from a switch: it may be another one. */

/* longjmp with its checks takes another stack for a mistake. */
#undef _FORTIFY_SOURCE
#include "fiber_part.h"

#include <stdint.h>
#include <sys/mman.h>
#include "guard.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

static _Thread_local struct fiber *current;

struct fiber *fiber_here(void)
{
    return current;
}

const void *fiber_self(void)
{
    return current ? (const void *)current : &current;
}

void *fiber_argument(const struct fiber *fiber)
{
    return fiber->argument;
}

/* --- sanitizers must be told of every switch --- */

static void before_enter(struct fiber *fiber)
{
    (void)fiber;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(
        &fiber->other_side, (char *)fiber->memory + FIBER_GUARD_SIZE, FIBER_STACK_SIZE);
#endif
#if defined(__SANITIZE_THREAD__)
    fiber->other_side = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->own_side, 0);
#endif
}

static void after_enter(struct fiber *fiber)
{
    (void)fiber;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fiber->other_side, NULL, NULL);
#endif
}

static void before_leave(struct fiber *fiber)
{
    (void)fiber;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fiber->own_side, fiber->other_stack, fiber->other_size);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(fiber->other_side, 0);
#endif
}

static void after_leave(struct fiber *fiber)
{
    (void)fiber;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fiber->own_side, &fiber->other_stack, &fiber->other_size);
#endif
}

/* --- */

/* makecontext passes numbers of the size of an int only. */
static void begin(unsigned high, unsigned low)
{
    struct fiber *fiber = (void *)(uintptr_t)((uint64_t)high << 32 | low);
    after_leave(fiber);
    fiber->run(fiber->argument);
}

/* Where its code will begin. */
__attribute__((noinline)) static void set_start(struct fiber *fiber, char *stack)
{
    uint64_t address = (uintptr_t)fiber;
    getcontext(&fiber->start);
    fiber->start.uc_stack.ss_sp = stack;
    fiber->start.uc_stack.ss_size = (size_t)((char *)fiber - stack);
    makecontext(&fiber->start, (void (*)(void))begin, 2, (unsigned)(address >> 32),
        (unsigned)(address & UINT32_MAX));
}

static void *map_stack(void)
{
    void *memory = mmap(NULL, FIBER_GUARD_SIZE + FIBER_STACK_SIZE, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (mprotect(memory, FIBER_GUARD_SIZE, PROT_NONE) == 0)
        return memory;
    munmap(memory, FIBER_GUARD_SIZE + FIBER_STACK_SIZE);
    return NULL;
}

/* The fiber itself lives at the upper end of its stack. */
struct fiber *fiber_new(void (*run)(void *argument), void *argument)
{
    char *memory = map_stack();
    if (!memory)
        return NULL;
    struct fiber *fiber = (void *)(memory + FIBER_GUARD_SIZE + FIBER_STACK_SIZE - FIBER_SIZE);
    *fiber = (struct fiber){ .run = run, .argument = argument, .memory = memory };
    set_start(fiber, memory + FIBER_GUARD_SIZE);
#if defined(__SANITIZE_THREAD__)
    fiber->own_side = __tsan_create_fiber(0);
#endif
    return fiber;
}

void fiber_free(struct fiber *fiber)
{
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(fiber->own_side);
#endif
    munmap(fiber->memory, FIBER_GUARD_SIZE + FIBER_STACK_SIZE);
}

/* Jumps cost no system call, as swapcontext does for the signal mask, which is the same everywhere.
 * TSan knows only the latter. Each returns when somebody changes back. */
#if defined(__SANITIZE_THREAD__)
static void change_to_fiber(struct fiber *fiber)
{
    swapcontext(&fiber->enterer_context, &fiber->start);
}

static void change_to_enterer(struct fiber *fiber)
{
    swapcontext(&fiber->start, &fiber->enterer_context);
}
#else
__attribute__((noinline)) static void change_to_fiber(struct fiber *fiber)
{
    if (sigsetjmp(fiber->enterer, 0) != 0)
        return;
    if (fiber->is_started)
        siglongjmp(fiber->here, 1);
    fiber->is_started = true;
    setcontext(&fiber->start);
}

__attribute__((noinline)) static void change_to_enterer(struct fiber *fiber)
{
    if (sigsetjmp(fiber->here, 0) == 0)
        siglongjmp(fiber->enterer, 1);
}
#endif

void fiber_enter(struct fiber *fiber)
{
    struct guard_place *place = guard_exchange(fiber->place);
    current = fiber;
    before_enter(fiber);
    change_to_fiber(fiber);
    after_enter(fiber);
    current = NULL;
    fiber->place = guard_exchange(place);
}

void fiber_leave(void)
{
    struct fiber *fiber = current;
    before_leave(fiber);
    change_to_enterer(fiber);
    after_leave(fiber);
}
