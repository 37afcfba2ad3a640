/* upstream: a service behind the gateway, and calls to it.
 *
 * The only file that sees libcurl. Every thread has a caller of its own: calls at the same time
 * and connections kept alive, without a lock. */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/arena.h"
#include "lib/request.h"
#include "lib/str.h"

/* A whole reply that is kept for composing may be this long; longer ones break the call. */
#define UPSTREAM_REPLY_MAX (16 * 1024 * 1024)

struct upstream {
    struct str name;         /* "users" */
    struct str title;        /* "Users service": for messages to callers */
    const char *url;         /* "http://host:port" without a path */
    const char *socket_path; /* of a unix socket, else NULL */
    int timeout_ms;
    const char *health_path;
    int health_timeout_ms;
    struct str health_name; /* its member of the health reply */
};

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

/* One call. The caller of caller_start owns it, and its arena's memory, until caller_next has given
 * it back or caller_cancel was called. */
struct call {
    /* What to ask. Not changed. */
    const struct upstream *upstream;
    const char *method;
    const char *target;              /* path and query, sent byte for byte */
    const struct call_field *fields; /* header fields to send besides Host and Content-Length */
    int timeout_ms;
    long long deadline_us; /* of log_clock_us: the call ends then at the latest; 0: none */
    struct arena *arena;   /* for what comes back */

    /* The body to send, or no `read`: bytes read, 0 at its end, -1 where the client went away. */
    ssize_t (*read)(struct call *call, void *bytes, size_t size);
    int64_t body_length;
    /* NULL where `read` never waits; else: the descriptor to wait for before it has something, or
     * -1. */
    int (*body_fd)(struct call *call);

    /* Where both are there, the reply is streamed: `head` is called when status and fields are
     * complete, `write` for every piece of the body; false gives the call up (CALL_GONE). Timeout
     * is then the longest silence of the upstream. Else the body is collected, and the timeout is
     * for the whole call. */
    bool (*head)(struct call *call);
    bool (*write)(struct call *call, const char *bytes, size_t len);
    void *context; /* of the three functions above */

    /* What came back. */
    enum call_outcome outcome;
    const char *cause;     /* for people, where outcome is not CALL_OK; static or in the arena; NULL
                            * for a timeout that was the call's own */
    bool is_past_deadline; /* a timeout, because deadline_us came */
    int status;
    struct call_field *first_field, *last_field; /* in the order of the reply */
    struct str body;                             /* where it was collected */
    long long took_us;

    struct transfer *transfer; /* upstream.c's own */
};

/* Once per process, before any thread starts; false where libcurl cannot start. */
bool upstream_init(void);

struct caller;

/* A thread's caller; NULL where it cannot be had. */
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

/* Gives up every call that is under way. */
void caller_cancel(struct caller *caller);

/* The first header field of the reply with this name (letter case ignored), or an empty str. */
struct str call_field(const struct call *call, const char *name);

#endif
