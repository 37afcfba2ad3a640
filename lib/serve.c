/* serve: the request loop that every responder runs, under FastCGI or as plain CGI.
 *
 * The way of a request, in order: serve_connection → run_exchange → answer. Transport, threads and
 * crashes are in files of their own (fastcgi, cgi, pool, guard). */
#include "serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cgi.h"
#include "crew.h"
#include "fastcgi.h"
#include "guard.h"
#include "listener.h"
#include "log.h"
#include "pool.h"
#include "renew.h"
#include "watcher.h"

/* How long a web server may let us wait for a part of a request that is to be refused: there is one
 * place for these, and others wait for it. */
#define HURRY_MS 50

#define EXIT_CRASHED 70 /* EX_SOFTWARE of sysexits.h */

/* What all threads have. */
struct shared {
    const struct responder *responder;
    struct watcher *watcher;
};

/* What one thread has, and the request that it is at. */
struct thread {
    const struct responder *responder;
    struct fastcgi *fastcgi; /* NULL in plain CGI */
    struct arena arena;      /* of the request */
    bool is_ready;           /* the responder's thread_start was called and gave `own` */
    void *own;

    struct arrival arrival;
    bool is_too_much; /* the request is to be refused */
    struct request request;
    struct reply reply;
    bool is_open;  /* there is a request, and it wants a reply or its line in the log */
    bool is_ended; /* the reply was sent to its end */
    bool is_stuck; /* it has crashed, and could not give up all that others wait for */
};

/* The request gets what belongs to the thread and, if that can be had, its context. */
static bool make_ready(struct thread *thread)
{
    const struct responder *responder = thread->responder;
    struct request *request = &thread->request;

    if (!thread->is_ready) {
        thread->own = responder->thread_start ? responder->thread_start(responder->context) : NULL;
        thread->is_ready = thread->own || !responder->thread_start;
    }
    request->thread = thread->own;
    request->context = thread->is_ready || !responder->begin ? responder->context : NULL;
    if (thread->is_ready && responder->begin)
        responder->begin(request, thread->own);
    return thread->is_ready;
}

/* Retry-After: RFC 9110 section 10.2.3. */
static int refuse(struct thread *thread, int status, const char *why)
{
    const struct responder *responder = thread->responder;
    struct reply *reply = &thread->reply;
    char seconds[16];

    snprintf(seconds, sizeof(seconds), "%d", responder->overload_retry_s);
    if (status == 503)
        reply_field(reply, "Retry-After", str_of(seconds));
    return responder->refuse ? responder->refuse(&thread->request, reply, status, why)
                             : reply_error(reply, status, reply_reason(status), why);
}

/* From the CGI variables to a reply that is sent but for its end. Returns its status. */
static int answer(struct thread *thread, struct connection *connection, char **variables)
{
    const struct responder *responder = thread->responder;
    struct request *request = &thread->request;
    struct reply *reply = &thread->reply;
    const char *why;

    *request = (struct request){
        .arena = &thread->arena, .connection = connection, .arrived_us = thread->arrival.at_us
    };
    buf_init(&request->log, &thread->arena);
    reply_init(reply, request);
    int status = request_fill(request, variables, responder->body_max, &why);
    connection->body_left = request->body_length;
    if (thread->is_too_much && status == 0) {
        status = 503;
        why = "Too many requests are under way, try again";
    }
    thread->is_open = true;
    bool is_ready = make_ready(thread);

    if (status && (is_ready || !responder->refuse))
        status = refuse(thread, status, why);
    else if (!is_ready)
        status = reply_error(reply, 503, reply_reason(503), "The responder is out of resources");
    else
        status = responder->handle(request, reply);
    return reply_finish(reply, status);
}

/* The client has all that it will get. The request's variables went with the connection. */
static void finish(struct thread *thread)
{
    struct request *request = &thread->request;

    thread->is_open = false;
    if (request->after)
        request->after(request->after_context);
    if (thread->is_ready && thread->responder->end)
        thread->responder->end(request, thread->own);
}

/* One connection from its first byte to its end. */
static void run_exchange(void *argument)
{
    struct thread *thread = argument;
    char **variables;
    struct connection *connection = fastcgi_open(
        thread->fastcgi, thread->arrival.fd, thread->is_too_much ? HURRY_MS : -1, &variables);
    if (!connection)
        return;

    int status = answer(thread, connection, variables);
    bool is_broken = thread->reply.is_broken;
    fastcgi_end(thread->fastcgi, is_broken);
    thread->is_ended = true;
    log_request(&thread->request, status, log_clock_us() - thread->arrival.at_us);
    fastcgi_close(thread->fastcgi, is_broken);
    finish(thread);
}

/* After a crash: a 500 where nothing was sent yet, else a reply that visibly breaks off. A
 * connection without a request is closed with the process. */
static void end_crashed_exchange(void *argument)
{
    struct thread *thread = argument;
    bool is_broken = thread->reply.is_started;

    if (!thread->is_open || thread->is_ended)
        return;
    if (!is_broken)
        reply_crash(&thread->reply);
    if (thread->fastcgi)
        fastcgi_abandon(thread->fastcgi, is_broken);
}

static void give_up_crashed(void *argument)
{
    struct thread *thread = argument;
    if (thread->is_ready && thread->responder->crashed)
        thread->is_stuck = !thread->responder->crashed(thread->own);
}

/* From here on nothing may allocate: the heap may be damaged, or its lock held by this thread. What
 * the thread has (its arena, the handler's own state) is leaked on purpose. */
static void bury(struct thread *thread, int number)
{
    struct request *request = &thread->request;

    crew_give_up_thread();
    guard_call(end_crashed_exchange, thread);
    if (guard_call(give_up_crashed, thread))
        thread->is_stuck = true;
    if (!thread->is_open) {
        log_event("crashed by SIG%s outside of a request", sigabbrev_np(number));
        return;
    }
    log_problem(request, "crashed by SIG%s in %s %.*s", sigabbrev_np(number), request->method,
        (int)request->path.len, request->path.at);
    request->log.len = 0; /* it may have been torn */
    log_request(request, 500, log_clock_us() - thread->arrival.at_us);
}

static bool exchange(struct thread *thread, const struct arrival *arrival)
{
    thread->arrival = *arrival;
    thread->is_open = false;
    thread->is_ended = false;
    int number = guard_call(run_exchange, thread);
    if (number) {
        bury(thread, number);
        return false;
    }
    arena_reset(&thread->arena);
    return true;
}

/* pool_work.serve */
static bool serve_connection(void *argument, const struct arrival *arrival)
{
    struct thread *thread = argument;
    thread->is_too_much = false;
    return exchange(thread, arrival);
}

/* pool_work.refuse */
static bool refuse_connection(void *argument, const struct arrival *arrival)
{
    struct thread *thread = argument;
    thread->is_too_much = true;
    return exchange(thread, arrival);
}

/* pool_work.is_stuck */
static bool is_stuck(void *argument)
{
    return ((const struct thread *)argument)->is_stuck;
}

/* pool_work.thread_start. The responder's own is left to the first request, where its failure can
 * be answered and a crash in it is caught. */
static void *start_thread(void *context)
{
    const struct shared *shared = context;
    struct thread *thread = calloc(1, sizeof(*thread));
    struct fastcgi *fastcgi = fastcgi_new(shared->watcher);
    if (!thread || !fastcgi) {
        free(thread);
        fastcgi_free(fastcgi);
        return NULL;
    }
    thread->responder = shared->responder;
    thread->fastcgi = fastcgi;
    arena_init(&thread->arena);
    return thread;
}

/* pool_work.thread_stop */
static void stop_thread(void *argument)
{
    struct thread *thread = argument;
    if (thread->is_ready && thread->responder->thread_stop)
        thread->responder->thread_stop(thread->own);
    arena_clear(&thread->arena);
    fastcgi_free(thread->fastcgi);
    free(thread);
}

/* Signals that a terminal sends to the whole process group. They are the web server's to act on: it
 * ends its responders by SIGTERM, after their last request. */
static void ignore_unless_handled(int number)
{
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        signal(number, SIG_IGN);
}

/* pool_work.reload */
static void reload(void *context)
{
    const struct responder *responder = ((const struct shared *)context)->responder;
    if (responder->reload)
        responder->reload(responder->context);
}

static int serve_fastcgi(const struct responder *responder, struct listener *listener)
{
    struct shared shared = { .responder = responder, .watcher = watcher_new() };
    const struct pool_work work = { .context = &shared,
        .thread_start = start_thread,
        .serve = serve_connection,
        .refuse = responder->overload_retry_s ? refuse_connection : NULL,
        .is_stuck = is_stuck,
        .thread_stop = stop_thread,
        .reload = reload };

    ignore_unless_handled(SIGINT);
    if (!responder->reload)
        ignore_unless_handled(SIGHUP);
    if (!shared.watcher) {
        log_event("cannot start: no memory");
        return EXIT_FAILURE;
    }
    log_event("started");
    switch ((responder->is_waiting_mostly ? crew_run : pool_run)(
        &work, listener, responder->threads_max)) {
    case POOL_STOPPED:
        watcher_free(shared.watcher);
        return EXIT_SUCCESS;
    case POOL_CRASHED:
        log_event("starts anew after a crash");
        renew_program(responder->kept_fd);
        __attribute__((fallthrough));
    case POOL_STOPPED_CRASHED:
        _exit(EXIT_CRASHED); /* without the program's clean-up: its memory may be damaged */
    case POOL_FAILED:
        break;
    }
    watcher_free(shared.watcher);
    return EXIT_FAILURE;
}

struct cgi_exchange {
    struct thread thread;
    struct cgi cgi;
    int status;
    bool is_sent;
};

static void run_cgi_exchange(void *argument)
{
    struct cgi_exchange *exchange = argument;
    struct thread *thread = &exchange->thread;

    cgi_open(&exchange->cgi);
    int status = answer(thread, &exchange->cgi.connection, environ);
    exchange->is_sent = cgi_close(&exchange->cgi);
    thread->is_ended = true;
    log_request(&thread->request, status, log_clock_us() - thread->arrival.at_us);
    finish(thread);
}

static int serve_cgi(const struct responder *responder)
{
    struct cgi_exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return EXIT_FAILURE;

    struct thread *thread = &exchange->thread;
    thread->responder = responder;
    thread->arrival.at_us = log_clock_us();
    arena_init(&thread->arena);
    guard_thread_start();
    int number = guard_call(run_cgi_exchange, exchange);
    if (number) {
        bury(thread, number);
        cgi_close(&exchange->cgi);
        _exit(EXIT_CRASHED);
    }

    if (thread->is_ready && responder->thread_stop)
        responder->thread_stop(thread->own);
    bool is_whole = exchange->is_sent && !thread->reply.is_broken;
    guard_thread_stop();
    arena_clear(&thread->arena);
    free(exchange);
    return is_whole ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool serve_has_own_arguments(void)
{
    return !getenv("GATEWAY_INTERFACE") && !getenv("REQUEST_METHOD");
}

int serve(const struct responder *responder)
{
    signal(SIGPIPE, SIG_IGN); /* a client that has gone is an error of write */
    log_init(responder->name);
    guard_init();
    request_ids_init();

    if (listener_is(STDIN_FILENO)) {
        struct listener listener;
        listener_init(&listener, STDIN_FILENO);
        return serve_fastcgi(responder, &listener);
    }
    if (!serve_has_own_arguments())
        return serve_cgi(responder);
    fprintf(stderr,
        "%s answers HTTP requests for a web server, which starts it: as a FastCGI responder with a "
        "listening socket as standard input, or as a CGI program. Try:\n"
        "    REQUEST_METHOD=GET REQUEST_URI=/health %s\n",
        responder->name, responder->name);
    return EXIT_FAILURE;
}
