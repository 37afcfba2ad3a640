/* crew_part: what the parts of the crew share. For crew*.c only. */
#ifndef LIB_CREW_PART_H
#define LIB_CREW_PART_H

#include <pthread.h>
#include <stdatomic.h>
#include "crew.h"
#include "fiber.h"
#include "log.h"
#include "loop.h"
#include "oversight.h"
#include "queue.h"

/* One request after the other. */
struct member {
    struct crew *crew;
    struct fiber *fiber;
    void *own; /* of pool_work.thread_start */
    struct arrival arrival;
    bool refuses;        /* the one that is at hand */
    bool is_done;        /* with it */
    bool wants_thread;   /* of its own, to go on */
    struct member *next; /* in the list where it waits for something to do, or for a thread */
};

struct crew {
    const struct pool_work *work;
    struct listener *listener;
    unsigned requests_max;
    struct oversight oversight;
    struct loop *loop;
    atomic_uint busy; /* requests under way */

    /* Of the loop's thread alone. */
    unsigned count; /* of members */
    struct member *idle, *refuser;
    unsigned idle_count, idle_low; /* the fewest of them since the last review */
    struct queue queue;            /* of connections that came while all were busy */
    unsigned refused;              /* in this time of overload; 0: there is none */
    unsigned refused_before;       /* the same at the last review */
    long long review_us, deaf_until_us;
    struct log_lines lines;
    bool is_deaf; /* nothing is accepted */
    bool is_prepared;
    bool is_drained; /* once it stops: nothing waits in the socket, or it is left there */

    /* Between the loop, the main thread and the threads of single members. */
    pthread_mutex_t lock;
    pthread_cond_t called;
    int bell[2];                  /* a pipe, to be read at its first end: the loop shall look */
    struct member *first, **last; /* who wants a thread */
    struct member *home;          /* who was done in a thread */
    unsigned wanted, threads, idle_threads;
    bool is_ending;
    atomic_bool is_stopping, is_orphaned, is_over;
    atomic_llong drain_until_us; /* the last moment to take a connection once it is stopping */
};

/* --- crew.c --- */

/* Returns 0 or an error number. */
int crew_start_thread(void *(*run)(void *argument), void *argument, size_t stack_size);

/* --- crew_loop.c: what the loop's thread does --- */

/* Goes on with a member's request, in whichever thread calls. True where that is done. */
bool crew_enter(struct member *member);

/* The argument is a struct crew. */
void *crew_loop_run(void *argument);

/* --- crew_thread.c: threads of single members --- */

/* From the loop: the member goes on in a thread of its own. False where none can be had. */
bool crew_thread_give(struct crew *crew, struct member *member);

/* In the loop: those that came back from there, a list. */
struct member *crew_thread_take_home(struct crew *crew);

/* Waits for the end of all of them. */
void crew_thread_end(struct crew *crew);

/* From any thread: the loop shall look around. */
void crew_ring(struct crew *crew);

#endif
