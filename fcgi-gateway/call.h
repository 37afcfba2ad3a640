/* call: one call to an upstream: what to ask, and what came back. */
#ifndef GATEWAY_CALL_H
#define GATEWAY_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/arena.h"
#include "lib/str.h"

struct course;
struct upstream;

/* A whole reply that is kept for composing may be this long; longer ones break the call. */
#define CALL_REPLY_MAX (16 * 1024 * 1024)

/* The same for one that says how a service is. */
#define CALL_HEALTH_MAX (256 * 1024)

/* How a call ended. */
enum call_outcome {
    CALL_OK,          /* a whole reply, whatever its status */
    CALL_UNREACHABLE, /* no connection, or it broke before a reply began */
    CALL_TIMEOUT,
    CALL_BROKEN,  /* what came is no HTTP reply, or breaks off */
    CALL_GONE,    /* the client went away, the call was given up */
    CALL_REFUSED, /* not made: the gateway protects the service */
    CALL_UNMADE,  /* the request lacks what the call needs: 400 */
};

struct call_field {
    struct str name, value;
    struct call_field *next;
};

/* One call. Who starts it (caller_start) owns it, and its arena's memory, until caller_next has
 * given it back or caller_cancel was called. */
struct call {
    /* What to ask. Not changed. */
    const struct upstream *upstream;
    const char *method;
    const char *target;              /* path and query, sent byte for byte */
    const struct call_field *fields; /* header fields to send besides Host and Content-Length */
    int timeout_ms;
    long long deadline_us; /* of log_clock_us: the call ends then at the latest; 0: none */
    int request_ms;        /* the whole time that ends with deadline_us: other calls had some */
    size_t reply_max;      /* bytes of a body that is collected; 0: CALL_REPLY_MAX */
    struct arena *arena;   /* for what comes back */
    uint64_t key;          /* of the server, where the upstream balances by one: upstream_key */
    int only_server;       /* from 1: this one is asked, once, whatever is known of it; 0: any */

    /* The body to send, or no `read`: bytes read, 0 at its end, -1 where the client went away. */
    ssize_t (*read)(struct call *call, void *bytes, size_t size);
    int64_t body_length;
    /* NULL where `read` never waits; else: the descriptor to wait for before it has something, or
     * -1. */
    int (*body_fd)(struct call *call);

    /* Where both are there, the reply is streamed: `head` is called when status and fields are
     * complete, `write` for every piece of the body; false gives the call up (CALL_GONE). `flush`
     * is called after them whenever the upstream lets us wait for more, so that what came together
     * is sent on together. Timeout is then the longest silence of the upstream. Else the body is
     * collected, and the timeout is for the whole call. */
    bool (*head)(struct call *call);
    bool (*write)(struct call *call, const char *bytes, size_t len);
    void (*flush)(struct call *call);
    void *context; /* of the functions above */

    /* What came back. */
    enum call_outcome outcome;
    const char *cause;     /* for people, where outcome is not CALL_OK; static or in the arena; NULL
                            * for a timeout that was the call's own */
    bool is_past_deadline; /* a timeout, because deadline_us came */
    int status;
    struct call_field *first_field, *last_field; /* in the order of the reply */
    struct str body;                             /* where it was collected */
    long long took_us;                           /* all of it: waiting, attempts, pauses */
    int tries;                                   /* attempts that were made */
    int waited_ms;      /* of a timeout: how long the service had; 0: timeout_ms */
    int retry_after_s;  /* of CALL_REFUSED: not sooner than in so many seconds */
    bool is_unsent;     /* no connection was made: the service has seen nothing of it */
    bool is_body_begun; /* `read` was called */

    struct course *course; /* upstream.c's own */
};

/* The first header field of the reply with this name (letter case ignored), or an empty str. */
struct str call_field(const struct call *call, const char *name);

#endif
