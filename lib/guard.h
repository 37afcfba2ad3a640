/* guard: a bug in one handler costs one request and not those beside it.
 *
 * A thread that crashes (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) inside guard_call comes back
 * from it with the signal's number. Its own state is lost and must not be used again; other threads
 * go on. Outside of guard_call such a signal ends the program as always. */
#ifndef LIB_GUARD_H
#define LIB_GUARD_H

#include <pthread.h>
#include <stdbool.h>

/* Installs the signal handlers, once per process. */
void guard_init(void);

/* Gives the calling thread a stack for signals, so that an overflown stack is survived too;
 * guard_thread_stop gives it back. */
void guard_thread_start(void);
void guard_thread_stop(void);

/* Calls run(argument). Returns 0, or the number of the signal that ended it. */
int guard_call(void (*run)(void *argument), void *argument);

/* Where a thread comes back to from a crash belongs to the code that it runs, not to the thread:
 * who lets a thread run something else in between (fiber) puts the place of that here, and gets
 * what was there. NULL: outside of guard_call. */
struct guard_place;
struct guard_place *guard_exchange(struct guard_place *place);

/* In a thread that has crashed, and that may hold this lock itself: waits a moment at most. False
 * where it was not free; for others it is then lost until the program starts anew. */
bool guard_lock(pthread_mutex_t *lock);

#endif
