/* coalesce: identical requests at the same time share one reply: the first asks, the others wait.
 *
 * The first is the leader of a flight, the others follow. A leader must end its flight by exactly
 * one of coalesce_land, _land_old, _abandon and a _hand_over that is done, and is not awaited after
 * its crash. Waiting is poll() on an eventfd of the follower's own beside its client's descriptor:
 * a condition variable would not notice the client's going. Does not know what makes requests
 * identical. */
#ifndef GATEWAY_COALESCE_H
#define GATEWAY_COALESCE_H

#include <pthread.h>
#include <stdint.h>
#include "stored.h"

/* Followers of one flight; whoever comes then asks for itself. As many as there are places in the
 * default configuration. */
#define COALESCE_FOLLOWERS_MAX 1024

struct coalescer;
struct flight;

struct coalescer *coalescer_new(void);
void coalescer_free(struct coalescer *coalescer);

enum coalesce_role {
    COALESCE_LEADS,
    COALESCE_FOLLOWS,
    COALESCE_ALONE, /* asks for itself, and nobody waits for it */
    /* How a follower's waiting may also end. */
    COALESCE_SERVED,     /* there is a reply */
    COALESCE_SERVED_OLD, /* there is an old one, as the service failed */
    COALESCE_LATE,       /* its deadline has passed */
    COALESCE_GONE,       /* its client has gone */
};

/* One request's part in a flight; in memory of that request, which leaves it where it is
 * until it is in no flight any more. */
struct coalesce_seat {
    enum coalesce_role role;
    struct stored *reply;  /* of COALESCE_SERVED and _SERVED_OLD; to be released */
    long long deadline_us; /* of the request, on the clock of log_clock_us */
    /* coalesce.c's own */
    struct flight *flight;
    struct coalesce_seat *next, **link; /* among the followers */
    uint64_t hash;
    const void *owner; /* who asks or waits, of fiber_self */
    int wake_fd;
};

/* Joins the flight with this key, or begins one; waits until `deadline_us` at most. Returns
 * COALESCE_LEADS, _FOLLOWS or _ALONE (too many, or no memory or descriptor). */
enum coalesce_role coalesce_join(
    struct coalescer *coalescer, struct str key, long long deadline_us, struct coalesce_seat *seat);

/* How a follower notices that its client has gone. */
struct coalesce_client {
    int fd;                        /* becomes readable then; -1: none */
    int (*wait_ms)(void *context); /* asked before each wait: how long it may be */
    void *context;
};

/* A follower waits until its deadline; where `silence_us` is not 0, it waits on while the leader's
 * coalesce_moved is not longer ago than that. `client` may be NULL.
 *
 * Returns
 *   COALESCE_SERVED  seat->reply is the leader's; so it is of COALESCE_SERVED_OLD
 *   COALESCE_LEADS   the leader could not: this one leads now
 *   COALESCE_ALONE   the leader's reply is not for others
 *   COALESCE_LATE, COALESCE_GONE */
enum coalesce_role coalesce_wait(struct coalescer *coalescer, struct coalesce_seat *seat,
    long long silence_us, const struct coalesce_client *client);

/* The leader's reply is progressing: followers go on waiting for what takes long. */
void coalesce_moved(struct coalesce_seat *seat);

/* The leader's reply, whatever it says, is everybody's. */
void coalesce_land(struct coalescer *coalescer, struct coalesce_seat *seat, struct stored *stored);

/* The same with a reply from before, which the leader uses because the service failed. */
void coalesce_land_old(
    struct coalescer *coalescer, struct coalesce_seat *seat, struct stored *stored);

/* The leader's reply is not for others: each asks for itself. */
void coalesce_abandon(struct coalescer *coalescer, struct coalesce_seat *seat);

/* The leader gives up without a reply for others: of the followers whose deadline is later than
 * `later_than_us` the one with the latest leads. False where there is none: the seat leads on. */
bool coalesce_hand_over(
    struct coalescer *coalescer, struct coalesce_seat *seat, long long later_than_us);

/* The calling request crashed: who follows it leads, and it follows nobody. Frees nothing. False
 * where it holds a lock. */
bool coalesce_crashed(struct coalescer *coalescer);

#endif
