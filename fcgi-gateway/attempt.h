/* attempt: one attempt of a call, as far as the upstream's rules are concerned: may it begin, at
 * which server, what its end says, and may another one follow. */
#ifndef GATEWAY_ATTEMPT_H
#define GATEWAY_ATTEMPT_H

#include "upstream.h"

struct transferer;

enum attempt_step {
    ATTEMPT_NONE,    /* none is under way */
    ATTEMPT_QUEUED,  /* waits for a place; the transferer is woken when there is one */
    ATTEMPT_STARTED, /* may be made now, at `server` */
    ATTEMPT_REFUSED, /* must not be made: `why`, `retry_after_us` */
};

/* A call's attempts, one after the other. Of a caller, who keeps it where it is. All
 * zero but for the first five is a new one. */
struct attempt {
    struct bulkhead_waiter waiter; /* first: a pointer to it is one to the attempt */
    const struct upstream *upstream;
    struct transferer *wakes;
    uint64_t *seed; /* of random numbers */
    bool is_unsafe; /* its method may change something: it tries no sick server if others can */

    enum attempt_step step;
    int count;             /* attempts that were started */
    int server;            /* its place in the upstream */
    bool may_repeat;       /* if it fails: but for the budget */
    bool is_paid;          /* another one may follow, and the budget has paid for it */
    bool may_go_elsewhere; /* and there are servers that were not tried, and retries */
    const char *why;       /* for people */
    long long retry_after_us, started_us;

    /* attempt.c's own. */
    struct breaker_ticket ticket;
    uint64_t tried;
    bool is_told;
};

/* Wants to begin an attempt. `key` is the call's, for servers that are chosen by one. Sets
 * self->step, and returns it. The first one that is started counts for the budget of retries. */
enum attempt_step attempt_begin(struct attempt *self, uint64_t key, long long now_us);

/* The same after it was queued: has it got its place? */
enum attempt_step attempt_look(struct attempt *self, uint64_t key, long long now_us);

/* When it is to give way to another one, if that may be made then; LLONG_MAX: never. */
long long attempt_patience(const struct attempt *self, long long deadline_us, long long now_us);

struct attempt_result {
    enum breaker_end end; /* as far as the service is concerned */
    bool is_repeated;     /* another attempt follows */
    long long took_us;    /* until its reply's head was there, or it had failed */
};

/* What became of it. Once at most, and before attempt_end. */
void attempt_tell(struct attempt *self, struct attempt_result how, long long now_us);

/* It is over, or given up in whatever step; who waits for its place gets it. What was not told says
 * nothing of the service. */
void attempt_end(struct attempt *self);

/* The same after a crash of its request, which may hold the lock: false then, after a while. */
bool attempt_crashed(struct attempt *self);

/* May another one follow? In `question` attempts and draw are filled in here. */
struct retry_answer attempt_repeat(
    struct attempt *self, struct retry_question *question, long long now_us);

/* That one will not be made: the budget gets it back. */
void attempt_refund(struct attempt *self);

/* Who waits for a place gets one, where one is free: after a reload there may be more. With the
 * upstream's lock held. */
void attempt_fill_places(struct upstream_state *state);

/* What a call would meet just now. */
struct outlook {
    enum breaker_state breaker;
    enum server_state servers[SERVERS_MAX]; /* in the upstream's order */
};

void attempt_outlook(const struct upstream *upstream, struct outlook *outlook);

/* An active check of a server. One that comes after checks were given up says nothing. */
void attempt_check(const struct upstream *upstream, int server, bool is_good);

#endif
