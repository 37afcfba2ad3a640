/* ask: one call of a composed route, from its plan to a reply that can be used. */
#ifndef GATEWAY_ASK_H
#define GATEWAY_ASK_H

#include "config.h"

/* To read more than this, and to write it again, would keep others waiting (lib/crew.h). */
#define ASK_LONG_BODY (256 * 1024)

/* What all calls of one request have in common. */
struct ask_terms {
    struct request *request;
    const struct call_field *fields; /* of forward_composed */
    int route_ms;                    /* the route's timeout, for messages */
    long long deadline_us;           /* of log_clock_us: when that has passed */
    bool keeps_5xx; /* a service's own 5xx with a JSON body is the client's reply */
};

struct ask {
    struct call call; /* first: ask_of */
    unsigned step;    /* the place in the route's calls that it is made for */
    struct str body;  /* to send */
    struct str left;  /* of it */
    struct call_reply reply;
    bool is_ended, is_good;
};

/* The ask whose call this is. */
struct ask *ask_of(struct call *call);

/* Fills everything that is to be sent; nothing is started. Returns NULL, or the reference whose
 * value is missing. What is made is in the request's arena. */
const struct reference *ask_prepare(struct ask *ask, const struct call_plan *plan,
    const struct ask_terms *terms, const struct reference_values *values);

/* Starts the call. Where the deadline has passed it is not made, and has ended (is_ended). */
void ask_start(struct ask *ask, const struct ask_terms *terms);

/* The call has ended: is it good, a 2xx with JSON or without a body? Else it stays CALL_OK where
 * its own reply is the client's. */
void ask_judge(struct ask *ask, const struct ask_terms *terms);

/* The call cannot be made for want of a value: `lack` says of which. To blame is the client
 * (CALL_UNMADE), who is told that, or a service (CALL_BROKEN): then it is for the log, where the
 * file says no `else`. */
void ask_lack(struct ask *ask, const struct call_plan *plan, const struct ask_terms *terms,
    const char *lack, bool is_clients);

/* The line of the log about a service's reply that lacks what a call needs. */
void ask_log_lack(const struct call_plan *plan, const struct ask_terms *terms, const char *lack);

/* Did a service fail (and not only say no, or lack a value)? What `else` gives then is makeshift.
 */
bool ask_has_failed(const struct ask *ask);

#endif
