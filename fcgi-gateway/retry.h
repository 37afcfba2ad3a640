/* retry: may a call that failed be made again, and when. */
#ifndef GATEWAY_RETRY_H
#define GATEWAY_RETRY_H

#include <stdbool.h>
#include "lib/str.h"

struct retry_settings {
    int attempts_max;     /* calls of one request, with the first; 1: no retries */
    int budget_percent;   /* retries, of the upstream's calls */
    long long backoff_us; /* before the first retry at most; then twice as long each time */
    long long backoff_max_us;
};

/* What ships. */
extern const struct retry_settings retry_defaults;

/* An upstream's, so that an outage is not multiplied: every call puts its percents in, every retry
 * takes 100 out. The upstream's mutex is held in every call. */
struct retry_budget {
    int percents;
};

/* A new one holds a few retries, so that the first call of a quiet upstream may be repeated. */
void retry_budget_init(struct retry_budget *budget);

/* A request has begun its first call; one that was refused is no call. */
void retry_budget_call(struct retry_budget *budget, const struct retry_settings *settings);

/* A retry that was taken from it was not made after all. */
void retry_budget_back(struct retry_budget *budget);

/* Is there one left? */
bool retry_budget_has(const struct retry_budget *budget);

enum retry_outcome {
    RETRY_NOT_SENT, /* no connection was made: the service has seen nothing of it */
    RETRY_BROKEN,   /* no whole reply, or none in time */
    RETRY_REPLY,    /* a reply with a status */
};

struct retry_question {
    struct str method;
    enum retry_outcome outcome;
    int status;               /* of RETRY_REPLY */
    long long retry_after_us; /* of the reply's Retry-After; 0: none */
    int attempts;             /* so far, 1 or more */
    bool is_reply_begun;      /* the client has got some of it */
    bool is_body_gone;        /* the request's body, or some of it, cannot be sent again */
    long long deadline_us;    /* of the request; LLONG_MAX: none */
    double draw;              /* random, 0 <= draw < 1 */
};

enum retry_verdict {
    RETRY_YES,
    RETRY_NO_NEED,     /* it is a reply for the client */
    RETRY_NO_METHOD,   /* it may have had its effect */
    RETRY_NO_WAY_BACK, /* begun to answer, or the body is gone */
    RETRY_NO_ATTEMPTS, /* left */
    RETRY_NO_TIME,     /* before the deadline */
    RETRY_NO_BUDGET,
};

struct retry_answer {
    enum retry_verdict verdict;
    long long pause_us; /* before the next call, where RETRY_YES */
};

/* Does the method change nothing (RFC 9110 section 9.2.1)? */
bool retry_is_safe(struct str method);

/* Takes the retry from the budget where the answer is RETRY_YES. The upstream's mutex is held.
 * Safe methods only (RFC 9110 section 9.2.1: GET, HEAD, OPTIONS); others where nothing was sent.
 * PUT and DELETE are idempotent by section 9.2.2, but not every service knows that. */
struct retry_answer retry_decide(const struct retry_settings *settings, struct retry_budget *budget,
    const struct retry_question *question, long long now_us);

#endif
