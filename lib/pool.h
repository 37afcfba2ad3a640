/* pool: threads that each accept their own connections from one listening socket.
 *
 * The thread that takes the last idle place starts one more, up to a bound; what is idle too long
 * leaves again. There is no hand-over between threads and no lock on the way of a connection, as
 * long as they are not all busy. */
#ifndef LIB_POOL_H
#define LIB_POOL_H

#include <stdbool.h>
#include "listener.h"
#include "queue.h"

/* What the threads do. */
struct pool_work {
    void *context;
    void *(*thread_start)(void *context); /* returns what those below get; NULL: no memory */
    /* Owns the connection; false: it crashed, and the thread is not used again. */
    bool (*serve)(void *thread, const struct arrival *arrival);
    /* Only by crew_run: the same for a connection that has waited too long for its turn; one after
     * the other, so it must be quick. NULL: they wait on. */
    bool (*refuse)(void *thread, const struct arrival *arrival);
    /* Optional, of a thread that has crashed: does it hold what others come to wait for? Then no
     * quiet moment is waited for. */
    bool (*is_stuck)(void *thread);
    void (*thread_stop)(void *thread);
    void (*reload)(void *context); /* at SIGHUP, in the main thread; NULL: nothing happens */
};

enum pool_end {
    POOL_STOPPED,         /* by SIGTERM */
    POOL_STOPPED_CRASHED, /* the same, and a thread crashed meanwhile */
    POOL_CRASHED,         /* a thread crashed; the others were waited for. Memory may be damaged */
    POOL_FAILED,          /* it could not start, or the listening socket is of no use any more */
};

/* Runs `work` until SIGTERM or a crash and serves at most `threads_max` connections at the same
 * time. Every connection that was accepted by then, or waits in the socket, is served first. */
enum pool_end pool_run(
    const struct pool_work *work, struct listener *listener, unsigned threads_max);

#endif
