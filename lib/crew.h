/* crew: many requests by one thread, for programs that mostly wait for others.
 *
 * Every request has a fiber; while it waits (loop_poll) the thread goes on with others. What
 * computes long, or waits in a way of its own, gets a thread for itself (crew_take_thread). */
#ifndef LIB_CREW_H
#define LIB_CREW_H

#include "pool.h"

/* As pool_run. Where all that may be under way are so, connections wait a moment, then they are
 * refused. */
enum pool_end crew_run(
    const struct pool_work *work, struct listener *listener, unsigned requests_max);

/* The caller's request goes on in a thread of its own, to its end: from now on it may block.
 * Nothing where it has one already. */
void crew_take_thread(void);

/* The caller's request has crashed, and what is left to do for it may wait: if it has the thread of
 * all others, another one goes on with those from now on. */
void crew_give_up_thread(void);

#endif
