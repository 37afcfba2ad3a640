/* each: a call for every element of an array; to the graph one call whose reply is an array. */
#ifndef GATEWAY_EACH_H
#define GATEWAY_EACH_H

#include "ask.h"

struct each;

enum each_state {
    EACH_RUNNING,
    EACH_DONE,   /* every element's call is good, or has its `else` */
    EACH_FAILED, /* see each_failed */
};

/* Prepares the calls for the elements of the array that plan->each refers to, and starts the first
 * of them. `step` is the place of the plan among the route's calls. In the request's arena;
 * `values` must not change what it refers to until the end. */
struct each *each_new(const struct call_plan *plan, unsigned step, const struct ask_terms *terms,
    const struct reference_values *values);

/* Goes over an array of the request's body before any call is made: NULL, or the call (never made)
 * that is told because the array is none or an element of it lacks what its call's path needs. */
const struct call *each_lack(const struct call_plan *plan, const struct ask_terms *terms,
    const struct reference_values *values);

/* One of its calls has ended: judges it. */
void each_ended(struct each *each, struct ask *ask);

/* Starts as many more calls as may be under way. None behind one that failed: those that were
 * started then decide. */
void each_go_on(struct each *each);

enum each_state each_state(const struct each *each);

/* After EACH_DONE: the replies as one array. Where that cannot be made it has failed after all
 * (false). */
bool each_reply(struct each *each, struct call_reply *reply);

/* After EACH_FAILED: the first call in the order of the array that failed, or what was wrong with
 * the array. */
const struct call *each_failed(const struct each *each);

/* Has a service failed at one of them (ask_has_failed)? */
bool each_has_failed(const struct each *each);

/* Writes what became of it to the request's log line: "users=3.2ms(12 calls)". */
void each_log(const struct each *each);

#endif
