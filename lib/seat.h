/* seat: where a thread of the pool sits, and how its wait in accept is ended. */
#ifndef LIB_SEAT_H
#define LIB_SEAT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum seat_state {
    SEAT_FREE,
    SEAT_LEFT,      /* its thread has ended, or will at once, and must be joined */
    SEAT_BUSY,      /* serves a connection, or is on its way from or to accept */
    SEAT_ACCEPTING, /* in accept, or just before or behind it */
    SEAT_WAKING,    /* the same, while the main thread sends a signal */
    SEAT_LOST,      /* its thread crashed and sleeps until the process ends */
};

struct pool;

struct seat {
    _Alignas(64) atomic_int state; /* a cache line of its own: written twice per connection */
    pthread_t thread;              /* set by the thread itself */
    struct pool *pool;
};

/* Once, in the main thread, before there are others. */
void seat_init_signals(void);

/* Takes the seat for the calling thread, which can be woken from now on. */
void seat_take(struct seat *seat);

/* Around accept: seat_wake works in between only, and is over when seat_leave_accept returns. */
void seat_enter_accept(struct seat *seat);
void seat_leave_accept(struct seat *seat);

/* From the main thread: ends accept with EINTR in the seat's thread. False where it is not there. A
 * thread that is just about to call accept misses it: try again. */
bool seat_wake(struct seat *seat);

/* Tells the main thread that there is something to look at. */
void seat_call_main(pthread_t main_thread);

/* In the main thread: waits for seat_call_main, or also for what the process is told from outside:
 * SIGTERM and SIGHUP. Returns the signal, or -1 after `ms` milliseconds. */
int seat_wait_main(bool takes_orders, long ms);

#endif
