/* upstream: calls to a service, each from its beginning to a result.
 *
 *     wait for a place → attempt → over, or a pause and another attempt
 *
 * A call has one deadline for all of that. Whether an attempt may be made, and at which server, is
 * attempt.c's business; how bytes are exchanged, transfer.c's. Only requests that change nothing
 * are made again, and others that no server has seen; what the client has seen some of, never.
 */
#include "upstream.h"
#include <limits.h>
#include <stdlib.h>
#include <sys/random.h>
#include "attempt.h"
#include "lib/log.h"
#include "transfer.h"
#include "verdict.h"

/* A reply that is streamed for this long is a good one, whatever becomes of it: events that go on
 * for hours must not keep a breaker waiting for their end. */
#define STREAM_IS_GOOD_US 1000000

/* A call under way. In the call's arena. */
struct course {
    struct attempt attempt;
    struct call *call;
    long long started_us, deadline_us;
    long long first_us;       /* when the first attempt began */
    long long pause_until_us; /* 0: none */
    long long patience_us;    /* when another attempt is made in place of this one, if it may */
    long long head_us;        /* when this attempt's head came; 0: not yet */
    bool is_begun;            /* the client has got something */
    bool is_dropped;          /* this attempt's reply: another one will follow, in place of it */
    bool is_ended;
    struct course *next; /* in the caller's list */
};

struct caller {
    struct transferer *transferer;
    struct course *courses;
    uint64_t seed; /* of random numbers */
};

struct caller *caller_new(void)
{
    struct caller *caller = calloc(1, sizeof *caller);
    if (!caller)
        return NULL;
    if (getrandom(&caller->seed, sizeof caller->seed, GRND_NONBLOCK) < 0)
        caller->seed = (uint64_t)log_clock_us() ^ (uintptr_t)caller;
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

/* --- what an end says --- */

/* May this attempt's end be followed by another attempt? The budget is charged then. */
static bool wants_repeat(struct course *course, enum retry_outcome outcome)
{
    const struct call *call = course->call;
    long long now_us = log_clock_us();
    struct retry_question question = {
        .method = str_of(call->method),
        .outcome = outcome,
        .status = call->status,
        .retry_after_us = verdict_retry_after_us(call),
        .is_reply_begun = course->is_begun,
        .is_body_gone = call->is_body_begun,
        .deadline_us = course->deadline_us,
    };
    struct retry_answer answer = attempt_repeat(&course->attempt, &question, now_us);
    if (answer.verdict != RETRY_YES)
        return false;
    course->pause_until_us = now_us + answer.pause_us;
    return true;
}

/* The reply's head is there, and the client has not seen it yet: false drops it. */
static bool on_head(struct call *call)
{
    struct course *course = call->course;
    course->head_us = log_clock_us();
    if (!call->only_server && verdict_is_trouble(call->status))
        course->is_dropped = wants_repeat(course, RETRY_REPLY);
    if (course->is_dropped)
        return false;
    course->is_begun = true;
    return call->head(call);
}

/* --- attempts --- */

static void send_off(struct caller *caller, struct course *course, int server)
{
    struct call *call = course->call;
    long long now_us = log_clock_us();
    struct transfer_terms terms = {
        .address = &call->upstream->servers[server].address,
        .host = call->upstream->name,
        .first_us = course->deadline_us,
        .left_ms = (int)((course->deadline_us - now_us) / 1000),
        .head = on_head,
    };
    course->patience_us =
        call->read ? LLONG_MAX : attempt_patience(&course->attempt, course->deadline_us, now_us);
    if (course->attempt.may_go_elsewhere && course->patience_us == LLONG_MAX)
        terms.connect_ms = (int)((course->deadline_us - now_us) / 2000);
    course->is_dropped = false;
    course->head_us = 0;
    if (call->tries++ == 0)
        course->first_us = now_us;
    transfer_start(caller->transferer, call, &terms);
}

/* What a call that was not made says; of one that was made before, its own end says more. */
static void refuse(struct course *course, const char *why, long long after_us)
{
    struct call *call = course->call;
    course->is_ended = true;
    if (call->tries > 0 && !course->is_dropped)
        return;
    call->outcome = CALL_REFUSED;
    call->cause = why;
    call->status = 0;
    call->first_field = call->last_field = NULL;
    call->retry_after_s = (int)((after_us + 999999) / 1000000);
    if (call->retry_after_s < 1)
        call->retry_after_s = 1;
}

static void take_step(struct caller *caller, struct course *course, enum attempt_step step)
{
    if (step == ATTEMPT_STARTED)
        send_off(caller, course, course->attempt.server);
    else if (step == ATTEMPT_REFUSED)
        refuse(course, course->attempt.why, course->attempt.retry_after_us);
}

/* There is no time for an attempt: the service would work for nobody. */
static void expire(struct course *course)
{
    struct call *call = course->call;
    course->is_ended = true;
    if (call->tries > 0 && !course->is_dropped)
        return;
    call->outcome = CALL_TIMEOUT;
    call->cause = NULL;
    call->is_past_deadline = course->deadline_us == call->deadline_us;
    call->status = 0;
    call->first_field = call->last_field = NULL;
}

static void begin(struct caller *caller, struct course *course)
{
    long long now_us = log_clock_us();
    course->pause_until_us = 0;
    if (now_us >= course->deadline_us)
        expire(course);
    else
        take_step(caller, course, attempt_begin(&course->attempt, course->call->key, now_us));
}

static void tell(struct course *course, enum breaker_end end, bool is_repeated, long long now_us)
{
    struct attempt *attempt = &course->attempt;
    long long known_us = course->head_us ? course->head_us : now_us;
    if (!attempt->is_told)
        attempt_tell(attempt,
            (struct attempt_result){ end, is_repeated, known_us - attempt->started_us }, now_us);
}

/* Had the service the time that is meant for it? Another one may have used up the request's before,
 * or those who stood in the queue for it. */
static bool had_fair_time(const struct course *course)
{
    const struct call *call = course->call;
    long long given_us = course->deadline_us - course->started_us;
    int fair_ms = call->timeout_ms;
    if (call->deadline_us && call->request_ms / 2 < fair_ms)
        fair_ms = call->request_ms / 2;
    return given_us >= fair_ms * 1000LL && course->deadline_us - course->first_us >= given_us / 2;
}

/* Has it ended for want of time that it never had? That says nothing of the service. */
static bool is_cut_short(const struct course *course, long long now_us)
{
    const struct call *call = course->call;
    long long begun_us = course->attempt.started_us;
    bool is_late_connection =
        call->is_unsent && now_us - begun_us >= (course->deadline_us - begun_us) / 2;
    return (call->outcome == CALL_TIMEOUT || is_late_connection) && !had_fair_time(course);
}

/* The attempt's exchange is over, `call` says how. */
static void conclude(struct course *course, bool is_repeated, long long now_us)
{
    struct call *call = course->call;
    bool is_given_up = call->outcome == CALL_GONE && !course->is_dropped;
    bool is_ours =
        is_given_up || call->outcome == CALL_REFUSED; /* it says nothing of the service */
    if (!call->only_server && !is_ours && !is_cut_short(course, now_us))
        tell(course, verdict_of(call), is_repeated, now_us);
    if (!call->only_server)
        attempt_end(&course->attempt);
    course->is_ended = !is_repeated;
    if (call->outcome == CALL_TIMEOUT && now_us < course->deadline_us && !course->is_begun)
        call->waited_ms = (int)((now_us - course->started_us) / 1000);
    else
        call->waited_ms = 0;
}

static void settle(struct course *course)
{
    const struct call *call = course->call;
    bool is_repeated = course->is_dropped;
    if (!call->only_server && !is_repeated && call->outcome != CALL_GONE &&
        call->outcome != CALL_REFUSED && verdict_of(call) != BREAKER_GOOD)
        is_repeated = wants_repeat(course, verdict_for_retry(call));
    conclude(course, is_repeated, log_clock_us());
}

/* No reply yet, and another attempt might get one. Where it must not be made, this one goes on: a
 * late reply is better than none. */
static void lose_patience(struct caller *caller, struct course *course)
{
    struct call *call = course->call;
    course->patience_us = LLONG_MAX;
    if (!wants_repeat(course, RETRY_BROKEN))
        return;
    transfer_cancel(caller->transferer, call);
    call->outcome = CALL_TIMEOUT;
    call->cause = NULL;
    conclude(course, true, log_clock_us());
}

/* --- time --- */

/* What a reply says that is streamed and goes on. */
static void tell_stream(struct course *course)
{
    bool is_trouble = verdict_is_trouble(course->call->status);
    tell(course, is_trouble ? BREAKER_FAILED : BREAKER_GOOD, false, log_clock_us());
}

void caller_yield_place(struct call *call)
{
    struct course *course = call->course;
    if (call->only_server || course->attempt.step != ATTEMPT_STARTED)
        return;
    tell_stream(course);
    attempt_end(&course->attempt);
}

/* When the course has something to do, whatever its exchange does. */
static long long due_of(const struct course *course)
{
    if (course->pause_until_us)
        return course->pause_until_us;
    if (course->attempt.step == ATTEMPT_QUEUED)
        return course->deadline_us;
    if (course->attempt.step != ATTEMPT_STARTED)
        return LLONG_MAX;
    if (!course->is_begun)
        return course->patience_us;
    return course->attempt.is_told ? LLONG_MAX : course->head_us + STREAM_IS_GOOD_US;
}

/* It waits for a place: is there one, or is it too late? */
static void look_for_place(struct caller *caller, struct course *course)
{
    struct attempt *attempt = &course->attempt;
    long long now_us = log_clock_us();
    if (now_us < course->deadline_us) {
        take_step(caller, course, attempt_look(attempt, course->call->key, now_us));
        return;
    }
    attempt_end(
        attempt); /* also where a place came in the same moment: there is no time to use it */
    refuse(course, "No place for the call became free in time", 0);
}

static void go_on(struct caller *caller, struct course *course)
{
    struct attempt *attempt = &course->attempt;
    long long now_us = log_clock_us();
    if (attempt->step == ATTEMPT_QUEUED)
        look_for_place(caller, course);
    else if (now_us < due_of(course))
        return;
    else if (course->pause_until_us)
        begin(caller, course);
    else if (!course->is_begun)
        lose_patience(caller, course);
    else
        tell_stream(course);
}

/* --- calls --- */

static void start_course(struct caller *caller, struct course *course)
{
    const struct call *call = course->call;
    course->started_us = log_clock_us();
    course->deadline_us = course->started_us + call->timeout_ms * 1000LL;
    if (call->deadline_us && call->deadline_us < course->deadline_us)
        course->deadline_us = call->deadline_us;
    course->attempt = (struct attempt){
        .upstream = call->upstream,
        .wakes = caller->transferer,
        .seed = &caller->seed,
        .is_unsafe = !retry_is_safe(str_of(call->method)),
    };
    if (call->only_server) {
        send_off(caller, course, call->only_server - 1);
        return;
    }
    begin(caller, course);
}

void caller_start(struct caller *caller, struct call *call)
{
    struct course *course = arena_zero(call->arena, sizeof *course);
    course->call = call;
    course->next = caller->courses;
    caller->courses = course;
    call->course = course;
    call->is_past_deadline = call->is_body_begun = false;
    call->tries = call->waited_ms = call->retry_after_s = 0;
    start_course(caller, course);
}

/* Takes it out of the list. */
static struct call *end(struct caller *caller, struct course *course)
{
    struct course **link = &caller->courses;
    while (*link != course)
        link = &(*link)->next;
    *link = course->next;
    if (course->attempt.is_paid)
        attempt_refund(&course->attempt);
    course->call->took_us = log_clock_us() - course->started_us;
    course->call->course = NULL;
    return course->call;
}

static struct call *give_up(struct caller *caller, const char *cause)
{
    struct course *course = caller->courses;
    struct call *call = course->call;
    transfer_cancel(caller->transferer, call);
    if (!call->only_server)
        attempt_end(&course->attempt);
    call->outcome = CALL_GONE;
    call->cause = cause;
    return end(caller, course);
}

/* Does what is due; the call that has ended, if one has. *next_us is when something will be due. */
static struct call *go_on_all(struct caller *caller, long long *next_us)
{
    *next_us = LLONG_MAX;
    for (struct course *course = caller->courses; course; course = course->next) {
        if (!course->is_ended)
            go_on(caller, course);
        if (course->is_ended)
            return end(caller, course);
        long long due_us = due_of(course);
        *next_us = due_us < *next_us ? due_us : *next_us;
    }
    return NULL;
}

/* One step: waits for what comes first, and returns a call that has ended by then. */
static struct call *step(struct caller *caller, long long until_us)
{
    long long next_us;
    /* One after the other: those that are started from now on are not even sent. */
    if (caller->courses && caller_is_client_gone(caller))
        return give_up(caller, "The client went away");
    struct call *ended = go_on_all(caller, &next_us);
    if (ended)
        return ended;
    ended = transfer_next(caller->transferer, next_us < until_us ? next_us : until_us);
    if (ended)
        settle(ended->course);
    return NULL;
}

struct call *caller_next(struct caller *caller)
{
    struct call *ended = NULL;
    while (caller->courses && !ended)
        ended = step(caller, LLONG_MAX);
    return ended;
}

struct call *caller_next_until(struct caller *caller, long long until_us)
{
    struct call *ended = step(caller, until_us);
    return ended ? ended : go_on_all(caller, &until_us);
}

void caller_wake(struct caller *caller)
{
    transferer_wake(caller->transferer);
}

void caller_cancel(struct caller *caller)
{
    while (caller->courses)
        give_up(caller, "Given up");
}

/* Calls are not looked at: they were on the thread's stack. */
bool caller_crashed(struct caller *caller)
{
    bool is_free = true;
    for (struct course *course = caller->courses; course && is_free; course = course->next)
        is_free = attempt_crashed(&course->attempt);
    return is_free;
}
