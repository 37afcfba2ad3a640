/* upstream: calls to a service, each from its beginning to a result.
 *
 * Decides what a call is made of; how bytes are exchanged with one server is transfer.c's business.
 */
#include "upstream.h"
#include <limits.h>
#include <stdlib.h>
#include "lib/log.h"
#include "transfer.h"

/* A call under way. In the call's arena. */
struct course {
    struct call *call;
    long long started_us;
    struct course *next; /* in the caller's list */
};

struct caller {
    struct transferer *transferer;
    struct course *courses;
};

struct caller *caller_new(void)
{
    struct caller *caller = calloc(1, sizeof *caller);
    if (!caller)
        return NULL;
    caller->transferer = transferer_new();
    if (caller->transferer)
        return caller;
    free(caller);
    return NULL;
}

void caller_free(struct caller *caller)
{
    if (!caller)
        return;
    caller_cancel(caller);
    transferer_free(caller->transferer);
    free(caller);
}

void caller_watch(struct caller *caller, const struct request *request)
{
    transferer_watch(caller->transferer, request);
}

bool caller_is_client_gone(const struct caller *caller)
{
    return transferer_is_client_gone(caller->transferer);
}

void caller_start(struct caller *caller, struct call *call)
{
    struct course *course = arena_zero(call->arena, sizeof *course);
    struct transfer_terms terms = { .address = &call->upstream->servers->address,
        .host = call->upstream->name };
    course->call = call;
    course->started_us = log_clock_us();
    course->next = caller->courses;
    caller->courses = course;
    terms.first_us = course->started_us + call->timeout_ms * 1000LL;
    if (call->deadline_us && call->deadline_us < terms.first_us)
        terms.first_us = call->deadline_us;
    transfer_start(caller->transferer, call, &terms);
}

/* Takes it out of the list. */
static struct call *end(struct caller *caller, struct course *course)
{
    struct course **link = &caller->courses;
    while (*link != course)
        link = &(*link)->next;
    *link = course->next;
    course->call->took_us = log_clock_us() - course->started_us;
    return course->call;
}

static struct call *give_up(struct caller *caller, const char *cause)
{
    struct call *call = caller->courses->call;
    transfer_cancel(caller->transferer, call);
    call->outcome = CALL_GONE;
    call->cause = cause;
    return end(caller, caller->courses);
}

static struct course *course_of(struct caller *caller, const struct call *call)
{
    struct course *course = caller->courses;
    while (course->call != call)
        course = course->next;
    return course;
}

struct call *caller_next(struct caller *caller)
{
    while (caller->courses) {
        /* One after the other: those that are started from now on are not even sent. */
        if (caller_is_client_gone(caller))
            return give_up(caller, "The client went away");
        struct call *ended = transfer_next(caller->transferer, LLONG_MAX);
        if (ended)
            return end(caller, course_of(caller, ended));
    }
    return NULL;
}

void caller_cancel(struct caller *caller)
{
    while (caller->courses)
        give_up(caller, "Given up");
}
