/* guard: a bug in one handler costs one request and not those beside it.
 *
 * The signal of a crash is delivered to the thread that caused it, so that thread can jump back to
 * where it was still sound. It must then do as little as possible: the heap may be damaged, and the
 * C library's locks may be held by itself. */
#include "guard.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* The handler needs little, but the kernel puts the whole register state there: about 3 KiB with
 * AVX-512, 11 KiB with AMX; sanitizers want more. */
#define SIGNAL_STACK_SIZE (64 * 1024)

#define LOCK_WAIT_NS 100000000 /* whoever holds a lock does so for microseconds, once it runs */

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

/* Of one guard_call, on its stack. */
struct guard_place {
    sigjmp_buf back;
    volatile sig_atomic_t number; /* of the signal that jumped back */
};

/* Of each thread, as a signal handler has no other way to know where its thread wants to go. */
static _Thread_local struct {
    struct guard_place *place; /* NULL outside of guard_call */
    void *stack;
    stack_t former_stack; /* a sanitizer's own, which it wants to find at the thread's end */
} guard;

static void on_crash(int number, siginfo_t *info, void *unused)
{
    (void)unused;
    /* SI_USER: sent by kill(1) to the program, which is no crash of this thread. */
    if (guard.place && info->si_code != SI_USER) {
        guard.place->number = number;
        siglongjmp(guard.place->back, 1);
    }

    signal(number, SIG_DFL);
    raise(number);
}

void guard_init(void)
{
    /* SA_NODEFER: the signal is not blocked while it is handled, so the jump out of the handler
     * need not unblock it, and sigsetjmp need not save the mask: no system call per request. */
    struct sigaction action = { .sa_sigaction = on_crash,
        .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]); i++)
        sigaction(crash_signals[i], &action, NULL);
}

void guard_thread_start(void)
{
    guard.stack = mmap(NULL, SIGNAL_STACK_SIZE, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    stack_t stack = { .ss_sp = guard.stack, .ss_size = SIGNAL_STACK_SIZE };
    /* Without one an overflown stack ends the program, as it would without guard. */
    if (guard.stack != MAP_FAILED)
        sigaltstack(&stack, &guard.former_stack);
}

void guard_thread_stop(void)
{
    if (guard.stack == MAP_FAILED)
        return;
    sigaltstack(&guard.former_stack, NULL);
    munmap(guard.stack, SIGNAL_STACK_SIZE);
}

/* A function of its own: what runs between two calls may have gone on in another thread, and a
 * compiler may think that a thread's variables stay where they were. */
__attribute__((noinline)) struct guard_place *guard_exchange(struct guard_place *place)
{
    struct guard_place *former = guard.place;
    guard.place = place;
    return former;
}

int guard_call(void (*run)(void *argument), void *argument)
{
    struct guard_place place;

    place.number = 0;
    if (sigsetjmp(place.back, 0) == 0) {
        guard_exchange(&place);
        run(argument);
    }
    guard_exchange(NULL);
    return place.number;
}

/* Not pthread_mutex_clocklock, which gcc's TSan does not know. */
bool guard_lock(pthread_mutex_t *lock)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOCK_WAIT_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_mutex_timedlock(lock, &until) == 0;
}
