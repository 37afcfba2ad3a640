/* serve: the request loop that every responder runs, under FastCGI or as plain CGI.
 *
 * See docs/ARCHITECTURE.md, "The way of a request through a
 * responder". */
#ifndef LIB_SERVE_H
#define LIB_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include "reply.h"
#include "request.h"

struct responder {
    const char *name; /* "fcgi-users": stands in every log line */

    /* Answers one request: fills the reply, returns its HTTP status. Called from many threads at
     * once. */
    int (*handle)(struct request *request, struct reply *reply);

    /* Answers a request that is none for `handle`, such as one with too long a body: `status` is
     * 400, 413 or 503, `why` a sentence for the client. Returns the status. NULL: reply_error does.
     */
    int (*refuse)(struct request *request, struct reply *reply, int status, const char *why);

    /* Seconds after which a client may try again (Retry-After) whom `refuse` tells 503, because for
     * a moment nobody had time for its request: all of threads_max were busy (FastCGI only). 0:
     * what is too much waits in the listening socket. */
    int overload_retry_s;

    /* What one thread keeps between requests, such as a database connection; both may be NULL.
     * thread_start returns it (NULL: it could not be had, the request is answered 503) and is
     * called before the thread's first request. */
    void *(*thread_start)(void *context);
    void (*thread_stop)(void *thread);

    void *context; /* the program's own, handed to the functions above through request->context */

    /* Optional: SIGHUP (FastCGI only). Called in the main thread while requests go on in others. */
    void (*reload)(void *context);

    /* Optional, both or none: around every request, also around one that is answered 400 without
     * `handle`. `begin` may put what holds for this request alone (of a program that reloads: what
     * is in use just now) into request->context and request->thread; `end` says that nothing of it
     * is used any more; that is after the reply was sent and request->after was called. Both get
     * what thread_start returned; where it returned NULL they are not called and request->context
     * is NULL. After a crash `end` is not called, nor anything else for this thread but `crashed`.
     */
    void (*begin)(struct request *request, void *thread);
    void (*end)(struct request *request, void *thread);

    /* Optional: a handler crashed in this thread, which is not used again. Others may wait for what
     * it was at, until the program starts anew: here it gives that up. It must not allocate nor
     * free, nor wait for long for a lock: the thread may hold it itself. It may crash again. False
     * where it could not give up all of it (guard_lock): the program then starts anew at once. */
    bool (*crashed)(void *thread);

    int kept_fd; /* a descriptor that the program finds again when it starts anew; 0: none */
    /* For others, by loop_poll: then many requests have one thread (crew.h), and what is called a
     * thread here is a place for a request in it. */
    bool is_waiting_mostly;

    unsigned threads_max; /* requests at the same time */
    int64_t body_max;     /* bytes; a longer body is answered 413 */
};

/* Are the program's arguments meant as such? Not where a web server runs it: the words of a query
 * without '=' become arguments then (RFC 3875 section 4.4), and whoever sends the request chooses
 * them. */
bool serve_has_own_arguments(void);

/* Serves until SIGTERM (FastCGI), or one request (plain CGI, where fd 0 is no listening socket).
 * Returns the program's exit status: 0 after an orderly end, 1 where it could not start. After a
 * handler crashed it does not return: the program starts anew in the same process (renew.h); plain
 * CGI exits with 70. */
int serve(const struct responder *responder);

#endif
