/* oversight: what the main thread of a responder does while others serve: it waits for the end, has
 * looked after them now and then, and takes the signals that the process is told by. */
#ifndef LIB_OVERSIGHT_H
#define LIB_OVERSIGHT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What those who serve tell the main thread. Whoever sets one of them calls seat_call_main. */
struct oversight {
    pthread_t main;
    atomic_bool is_crashed, is_failed;
    atomic_bool is_stuck;    /* a crashed thread holds what the others come to wait for */
    atomic_llong trouble_us; /* when something was last complained of */
};

struct overseen {
    void *context;
    void (*review)(void *context);   /* every OVERSIGHT_REVIEW_MS; may be NULL */
    void (*woken)(void *context);    /* after every seat_call_main; may be NULL */
    unsigned (*busy)(void *context); /* how many requests are under way? */
    void (*reload)(void *context);   /* at SIGHUP; may be NULL */
    void *reload_context;
};

#define OVERSIGHT_REVIEW_MS 5000 /* who was never needed for this long is too many */

/* Who stops: so long what comes in without a pause is still taken, and after a crash the others are
 * waited for, who may wait for a lock that is lost. Milliseconds. */
#define OVERSIGHT_DRAIN_MS 5000
#define OVERSIGHT_CRASH_STOP_MS 5000

/* In the main thread: from then on it is the one that is called. */
void oversight_begin(struct oversight *oversight);

/* Returns when it is time to stop: true where it is final (SIGTERM), false after a failure or, at a
 * quiet moment, after a crash. */
bool oversight_wait(struct oversight *oversight, const struct overseen *overseen);

/* Logs a trouble; where it comes often, not every time. `error` is an errno. */
void oversight_complain(struct oversight *oversight, const char *what, int error);

/* Was something complained of just now? */
bool oversight_is_troubled(struct oversight *oversight);

#endif
