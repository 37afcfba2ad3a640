/* jq_stack: a large stack for the time of one run of a jq program.
 *
 * libjq frees and compares values by recursion, and a program can nest them as deep as it likes
 * (`reduce ... ({a: .})`), deeper than the stacks of threads that are many and wait most of the
 * time. So a run has a stack of its own. Of the memory that is reserved for it nothing is there
 * before it is used, and what a deep run has used is given back. The thread stays the same, so that
 * guard and jq_watch find it as ever. Knows nothing of jq.
 */
#include "jq_stack.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#define MIB ((size_t)1024 * 1024)

/* 256 MiB hold arrays that are nested 5,600,000 times, and each level takes some 32 bytes of stack;
 * objects 700,000 times with 80 bytes. Where addresses are scarce it is still 16 times what threads
 * have. */
#define STACK_SIZE (sizeof(void *) > 4 ? 512 * MIB : 4 * MIB)
#define STACK_GUARD_SIZE (64 * 1024) /* larger than a frame that could skip it */

/* What most runs need; a page below that is looked at. */
#define SHALLOW_SIZE (64 * 1024)
#define LOOK_SIZE 4096

/* Kept for the next runs, as to map one takes as long as a small run. */
#define IDLE_MAX 16

static struct {
    pthread_mutex_t lock;
    void *idle[IDLE_MAX];
    unsigned idle_count;
} stacks = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct stack_call {
    void (*run)(void *context);
    void *context;
    ucontext_t here;
};

/* makecontext passes numbers of the size of an int only. */
static void enter(unsigned high, unsigned low)
{
    struct stack_call *call = (void *)(uintptr_t)((uint64_t)high << 32 | low);
    call->run(call->context);
}

static void *map_stack(void)
{
    void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return NULL;
    madvise(stack, STACK_SIZE, MADV_NOHUGEPAGE); /* most runs need a few pages of it */
    if (mprotect(stack, STACK_GUARD_SIZE, PROT_NONE) == 0)
        return stack;
    munmap(stack, STACK_SIZE);
    return NULL;
}

static void *take_stack(void)
{
    void *stack = NULL;
    pthread_mutex_lock(&stacks.lock);
    if (stacks.idle_count > 0)
        stack = stacks.idle[--stacks.idle_count];
    pthread_mutex_unlock(&stacks.lock);
    return stack ? stack : map_stack();
}

/* Whoever goes deep leaves return addresses everywhere; what was never written is zero. */
static bool was_deep(const void *stack)
{
    const char *top = (const char *)stack + STACK_SIZE;
    const uintptr_t *words = (const void *)(top - SHALLOW_SIZE - LOOK_SIZE);
    for (size_t i = 0; i < LOOK_SIZE / sizeof *words; i++)
        if (words[i])
            return true;
    return false;
}

static void give_back(void *stack)
{
    if (was_deep(stack))
        madvise((char *)stack + STACK_GUARD_SIZE, STACK_SIZE - STACK_GUARD_SIZE, MADV_DONTNEED);
    pthread_mutex_lock(&stacks.lock);
    bool is_kept = stacks.idle_count < IDLE_MAX;
    if (is_kept)
        stacks.idle[stacks.idle_count++] = stack;
    pthread_mutex_unlock(&stacks.lock);
    if (!is_kept)
        munmap(stack, STACK_SIZE);
}

/* Not inlined: compilers believe that whoever calls getcontext may come back from it twice. */
__attribute__((noinline)) static bool prepare(
    struct stack_call *call, void *stack, ucontext_t *there)
{
    uint64_t address = (uintptr_t)call;
    if (getcontext(there) < 0)
        return false;
    there->uc_stack = (stack_t){ .ss_sp = stack, .ss_size = STACK_SIZE };
    there->uc_link = &call->here;
    makecontext(there, (void (*)(void))enter, 2, (unsigned)(address >> 32), (unsigned)address);
    return true;
}

void jq_stack_call(void (*run)(void *context), void *context)
{
    struct stack_call call = { .run = run, .context = context };
    ucontext_t there;
    void *stack = take_stack();
    if (stack && prepare(&call, stack, &there))
        swapcontext(&call.here, &there);
    else
        run(context);
    if (stack)
        give_back(stack);
}
