/* bulkhead: how many calls an upstream gets at once, and who waits for a place. */
#ifndef GATEWAY_BULKHEAD_H
#define GATEWAY_BULKHEAD_H

#include <stdbool.h>

struct bulkhead_settings {
    int concurrent_max; /* calls at once; 0: no bound */
    int queue_max;      /* who may wait for a place */
};

enum bulkhead_place {
    BULKHEAD_REFUSED, /* the queue is full */
    BULKHEAD_QUEUED,  /* in the queue: wait, until bulkhead_next has given it a place */
    BULKHEAD_IN,      /* it holds a place and owes one bulkhead_leave */
};

/* One call. The caller owns it and keeps it where it is while it is queued. */
struct bulkhead_waiter {
    struct bulkhead_waiter *before, *after; /* bulkhead.c's own */
    enum bulkhead_place place;
};

/* All zero is a new one. The upstream's mutex is held in every call. Nobody is woken here: the edge
 * wakes whom bulkhead_next names. */
struct bulkhead {
    int inside, waiting;
    struct bulkhead_waiter *first, *last; /* in the order of their coming */
};

/* Wants a place. Sets waiter->place and returns it. Nobody passes those who wait. */
enum bulkhead_place bulkhead_enter(struct bulkhead *bulkhead,
    const struct bulkhead_settings *settings, struct bulkhead_waiter *waiter);

/* A call that was in has ended. Then ask bulkhead_next. */
void bulkhead_leave(struct bulkhead *bulkhead);

/* Gives a free place to who has waited the longest, and returns it, to be woken; its place is
 * BULKHEAD_IN from here on. NULL: nobody waits, or no place is free. One place was left: at most
 * one comes in; after a reload with a higher bound: ask until NULL. */
struct bulkhead_waiter *bulkhead_next(
    struct bulkhead *bulkhead, const struct bulkhead_settings *settings);

/* A waiter gives up (its deadline, its client). False where it has got a place meanwhile: it then
 * holds it, and owes bulkhead_leave. */
bool bulkhead_cancel(struct bulkhead *bulkhead, struct bulkhead_waiter *waiter);

#endif
