/* fiber: a run of code that has a stack of its own, so that it can be left in the middle, and
 * entered again where it was left.
 *
 * A thread that enters a fiber runs its code until that leaves; then it may enter another one. So
 * one thread goes on with many requests, each of them written from top to bottom. */
#ifndef LIB_FIBER_H
#define LIB_FIBER_H

#include <stddef.h>

struct fiber;

/* One that will call run(argument) when it is entered for the first time; `run` must never return,
 * it leaves at its end instead. NULL where there is no memory. */
struct fiber *fiber_new(void (*run)(void *argument), void *argument);

/* Whatever it was at: nobody may be in it. */
void fiber_free(struct fiber *fiber);

/* Goes on with its code. Returns when that leaves. From a thread's own stack only; a fiber may be
 * entered by another thread than before. */
void fiber_enter(struct fiber *fiber);

/* In a fiber: back to whoever entered it. Returns when it is entered again. */
void fiber_leave(void);

/* The fiber that is calling, or NULL on a thread's own stack. */
struct fiber *fiber_here(void);

/* Something that only the calling run of code has, be it a fiber or a thread: it says who is who.
 */
const void *fiber_self(void);

void *fiber_argument(const struct fiber *fiber);

#endif
