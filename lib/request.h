/* request: one request as a handler sees it.
 *
 * Everything in it belongs to the request loop and is valid until the handler returns. */
#ifndef LIB_REQUEST_H
#define LIB_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "arena.h"
#include "buf.h"
#include "str.h"

#define REQUEST_ID_MAX 64

/* Shorter bodies the web server collects before it sends the request on; longer ones it streams. */
#define REQUEST_STREAMED_MIN 1000000

struct connection; /* the transport behind it, see connection.h; not for handlers */

struct request {
    struct arena *arena;
    long long arrived_us; /* of log_clock_us; it may have waited for a thread since */
    const char *id;       /* X-Request-ID: the client's where it is sane, else made here */
    const char *method;   /* as sent: methods are case-sensitive, RFC 9110 section 9.1 */
    bool is_head;
    struct str target; /* path and query byte for byte as the client sent them */
    struct str path;   /* up to the '?', raw */
    struct str query;  /* behind the '?', raw; empty where there is none */
    bool has_query;    /* tells "/a?" from "/a" */
    char **variables;  /* CGI variables (RFC 3875), "NAME=value", ends with NULL */
    const struct variables_index
        *index;          /* of these very variables; NULL where they were replaced */
    int64_t body_length; /* Content-Length; 0 where there is no body */
    struct connection *connection;
    void *thread;  /* what this thread's thread_start returned, see serve.h */
    void *context; /* the program's own, see serve.h */
    /* NULL, or what is left to do when the client has the whole reply and the connection is closed:
     * `variables` and all that points into them are gone then, the arena is still there. Not after
     * a crash. */
    void (*after)(void *context);
    void *after_context;
    struct buf log; /* what a handler adds here stands at the end of the request's log line */
};

/* A CGI variable such as "REMOTE_ADDR", or NULL. */
const char *request_variable(const struct request *request, const char *name);

/* A header field such as "If-None-Match" (letter case ignored), or NULL. */
const char *request_header(const struct request *request, const char *name);

enum { REQUEST_BODY_CUT = -1 };

/* Reads up to `size` bytes of the body. Returns how many, 0 at its end, REQUEST_BODY_CUT where the
 * client went away before the end. Blocks until something is there. */
ssize_t request_read(struct request *request, void *bytes, size_t size);

/* Would request_read have to wait for the client? Then the descriptor that becomes readable when it
 * has not to any more, else -1. */
int request_body_fd(const struct request *request);

/* The descriptor to wait for (POLLIN) that becomes readable when the client has gone, and stays so;
 * nothing is to be read from it. -1 where that cannot be known: in plain CGI never. */
int request_client_fd(const struct request *request);

/* Before every wait for that and other things: how many milliseconds it may last at most. A client
 * whose request is not a quick one is watched from then on also where the web server does not look,
 * and there is no bound any more. */
int request_client_wait_ms(const struct request *request);

/* Has the client gone? Then nobody will see the reply. False where it cannot be known. */
bool request_client_gone(const struct request *request);

/* For the request loop: sets everything that follows from the CGI variables, in a request that has
 * its arena. Returns 0, or the status of a request that must not reach a handler (400, 413) with a
 * sentence for the client in *why. No pointer is NULL afterwards, whatever came in. */
int request_fill(struct request *request, char **variables, int64_t body_max, const char **why);

/* Takes the random numbers that request ids are made of; once, before the first request_fill. */
void request_ids_init(void);

/* Is `id` fit to be passed on: 1 to REQUEST_ID_MAX of letters, digits, '.', '_', '-'. */
bool request_id_is_sane(const char *id);

#endif
