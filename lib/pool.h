/* pool: threads that each accept their own connections from one listening socket.
 *
 * The thread that takes the last idle place starts one more, up to a bound; what is idle too long
 * leaves again. There is no hand-over between threads and no lock on the way of a connection. */
#ifndef LIB_POOL_H
#define LIB_POOL_H

#include <stdbool.h>
#include "listener.h"

/* What the threads do. */
struct pool_work {
    void *context;
    void *(*thread_start)(void *context); /* returns what the two below get; NULL: no memory */
    bool (*serve)(void *thread, int fd);  /* owns fd; false: it crashed, and is not called again */
    void (*thread_stop)(void *thread);
    void (*reload)(void *context); /* at SIGHUP, in the main thread; NULL: nothing happens */
};

enum pool_end {
    POOL_STOPPED,         /* by SIGTERM */
    POOL_STOPPED_CRASHED, /* the same, and a thread crashed meanwhile */
    POOL_CRASHED,         /* a thread crashed; the others were waited for. Memory may be damaged */
    POOL_FAILED,          /* it could not start, or the listening socket is of no use any more */
};

/* Runs `work` with at most `threads_max` threads until SIGTERM or a crash. Every connection that
 * was accepted by then, or waits in the socket, is served first. */
enum pool_end pool_run(
    const struct pool_work *work, const struct listener *listener, unsigned threads_max);

#endif
