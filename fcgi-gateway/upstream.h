/* upstream: a service behind the gateway, and calls to it.
 *
 * Every place for a request has a caller of its own, for calls at the same time. */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include "address.h"
#include "balance.h"
#include "breaker.h"
#include "bulkhead.h"
#include "call.h"
#include "retry.h"
#include "lib/request.h"

struct template_text;
struct upstream_state;

struct upstream_server {
    struct address address;
    int weight;
    bool is_draining; /* calls under way end there, no new ones are made */
};

struct upstream {
    struct str name;  /* "users" */
    struct str title; /* "Users service": for messages to callers */
    struct upstream_server *servers;
    int server_count; /* 1 to SERVERS_MAX */
    int timeout_ms;

    const char *health_path;
    int health_timeout_ms;
    struct str health_name; /* its member of the health reply */
    int check_interval_ms;  /* of active checks; 0: there are none */

    struct balance_settings balance;
    const struct template_text *balance_key; /* of BALANCE_HASH */
    bool has_breaker;
    struct breaker_settings breaker;
    struct retry_settings retry;
    int attempt_timeout_ms; /* of an attempt after which another may follow; 0: see upstream.c */
    struct bulkhead_settings places;

    /* What is known of it just now (upstream_state.h). NULL while the file is only looked at. */
    struct upstream_state *state;
    struct server **states; /* of its servers, in their order */
};

struct caller;

/* NULL where it cannot be had. */
struct caller *caller_new(void);
void caller_free(struct caller *caller);

/* All calls from now on are for this request (NULL: for none). When its client has gone they are
 * given up (CALL_GONE), at once, also those that begin later. */
void caller_watch(struct caller *caller, const struct request *request);

/* Have calls of this request been given up for that? */
bool caller_is_client_gone(const struct caller *caller);

/* Begins a call; it makes progress inside caller_next. */
void caller_start(struct caller *caller, struct call *call);

/* Waits until a call has ended and returns it; NULL where none is under way. */
struct call *caller_next(struct caller *caller);

/* The same, but NULL also at `until_us` of log_clock_us, and after caller_wake; also waits where no
 * call is under way. */
struct call *caller_next_until(struct caller *caller, long long until_us);

/* From any thread: whoever waits in this caller's caller_next_until goes on. */
void caller_wake(struct caller *caller);

/* For a call's `write`: its client takes the reply slowly, and the service is not to blame. The
 * call gives its place to others and counts as good; the rest of its reply comes without one. */
void caller_yield_place(struct call *call);

/* Gives up every call that is under way. */
void caller_cancel(struct caller *caller);

/* Its request crashed in the middle of anything: what its calls held of their upstreams is
 * given back, and nothing else is touched. The caller cannot be used again. False where it holds a
 * lock, and others come to wait for it. */
bool caller_crashed(struct caller *caller);

#endif
