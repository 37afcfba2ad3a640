/* attempt: one attempt of a call, as far as the upstream's rules are concerned.
 *
 * The one place where breaker, bulkhead, servers and the budget of retries meet, and the only one
 * that takes an upstream's lock for them: once when an attempt begins, once when it ends. Knows
 * nothing of how bytes are exchanged, nor what a reply is.
 */
#include "attempt.h"
#include <limits.h>
#include "lib/guard.h"
#include "lib/log.h"
#include "transfer.h"
#include "upstream_state.h"

/* What to say to somebody for whom there was no place or no server: nobody knows when there will
 * be. */
#define RETRY_AFTER_US 1000000

/* What happened while the lock was held, to be logged without it. */
struct news {
    const char *breaker, *server; /* names of new states; NULL: nothing new */
    int index;                    /* of the server */
};

static double draw(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15;
    uint64_t bits = *seed;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb; /* splitmix64 */
    return (double)((bits ^ bits >> 31) >> 11) / 9007199254740992.0;
}

static void tell_news(const struct upstream *upstream, const struct news *news)
{
    if (news->breaker)
        log_event("upstream %.*s: the breaker is %s", (int)upstream->name.len, upstream->name.at,
            news->breaker);
    if (news->server) {
        struct str address = upstream->servers[news->index].address.text;
        log_event("upstream %.*s: server %.*s is %s", (int)upstream->name.len, upstream->name.at,
            (int)address.len, address.at, news->server);
    }
}

static enum attempt_step refuse(struct attempt *self, const char *why, long long retry_after_us)
{
    self->why = why;
    self->retry_after_us = retry_after_us;
    return ATTEMPT_REFUSED;
}

/* --- from here on to its next mark: with the upstream's lock held --- */

void attempt_fill_places(struct upstream_state *state)
{
    struct bulkhead_waiter *next;
    while ((next = bulkhead_next(&state->bulkhead, &state->places)))
        transferer_wake(((struct attempt *)next)->wakes);
}

/* A place was left, or was not used after all. */
static void hand_over_place(struct attempt *self)
{
    struct upstream_state *state = self->upstream->state;
    bulkhead_leave(&state->bulkhead);
    attempt_fill_places(state);
}

static bool ask_breaker(struct attempt *self, long long now_us, struct news *news)
{
    const struct upstream *upstream = self->upstream;
    self->ticket = (struct breaker_ticket){ .as = BREAKER_NORMAL };
    if (!upstream->has_breaker)
        return true;
    struct breaker *breaker = &upstream->state->breaker;
    self->ticket =
        breaker_ask(breaker, &upstream->breaker, self->is_unsafe, now_us, draw(self->seed));
    if (self->ticket.has_changed)
        news->breaker = breaker_state_name(breaker->state);
    return self->ticket.as != BREAKER_REFUSED;
}

/* Is there a server that this call has not tried, and that takes calls? */
static bool has_untried(const struct attempt *self, long long now_us)
{
    const struct upstream *upstream = self->upstream;
    for (int i = 0; i < upstream->server_count; i++)
        if (!(self->tried >> i & 1) &&
            server_share(upstream->states[i], &upstream->balance.servers, now_us) > 0)
            return true;
    return false;
}

static bool choose_server(struct attempt *self, uint64_t key, long long now_us)
{
    const struct upstream *upstream = self->upstream;
    struct balance_question question = {
        .key = key,
        .tried = self->tried,
        .is_unsafe = self->is_unsafe,
        .must_try = self->ticket.as == BREAKER_PROBE,
    };
    for (int i = 0; i < BALANCE_DRAWS; i++)
        question.draws[i] = draw(self->seed);
    self->server =
        balance_choose(&upstream->balance, upstream_state_servers(upstream), &question, now_us);
    if (self->server < 0)
        return false;
    self->tried |= 1ULL << self->server;
    server_begin(upstream->states[self->server], &upstream->balance.servers, now_us);
    return true;
}

/* It has a place: may it be made? */
static enum attempt_step start(
    struct attempt *self, uint64_t key, long long now_us, struct news *news)
{
    const struct upstream *upstream = self->upstream;
    struct retry_budget *budget = &upstream->state->budget;
    if (!ask_breaker(self, now_us, news)) {
        hand_over_place(self);
        return refuse(
            self, "The service is failing and not asked now", self->ticket.retry_after_us);
    }
    if (!choose_server(self, key, now_us)) {
        breaker_forget(&upstream->state->breaker, self->ticket);
        hand_over_place(self);
        return refuse(self, "No server of the service takes calls now", RETRY_AFTER_US);
    }
    if (self->count++ == 0)
        retry_budget_call(budget, &upstream->retry);
    self->may_repeat =
        self->ticket.as != BREAKER_PROBE && self->count < upstream->retry.attempts_max;
    self->may_go_elsewhere =
        self->may_repeat && retry_budget_has(budget) && has_untried(self, now_us);
    self->started_us = now_us;
    self->is_told = self->is_paid = false;
    return ATTEMPT_STARTED;
}

/* Nobody waits for a place behind an open breaker. */
static bool is_open(const struct attempt *self, long long now_us)
{
    const struct upstream *upstream = self->upstream;
    return upstream->has_breaker &&
           breaker_state_at(&upstream->state->breaker, &upstream->breaker, now_us) == BREAKER_OPEN;
}

static enum attempt_step want(
    struct attempt *self, uint64_t key, long long now_us, struct news *news)
{
    const struct upstream *upstream = self->upstream;
    if (is_open(self, now_us))
        return refuse(self, "The service is failing and not asked now",
            upstream->state->breaker.since_us + upstream->breaker.open_us - now_us);
    struct upstream_state *state = upstream->state;
    switch (bulkhead_enter(&state->bulkhead, &state->places, &self->waiter)) {
    case BULKHEAD_QUEUED:
        return ATTEMPT_QUEUED;
    case BULKHEAD_IN:
        return start(self, key, now_us, news);
    default:
        return refuse(self, "Too many calls of the service are under way", RETRY_AFTER_US);
    }
}

/* The breaker is about what callers get: of attempts that others follow it hears nothing. */
static void tell(
    struct attempt *self, struct attempt_result how, long long now_us, struct news *news)
{
    const struct upstream *upstream = self->upstream;
    struct upstream_state *state = upstream->state;
    struct server *server = upstream->states[self->server];
    struct server_result result = { self->started_us, how.took_us, how.end == BREAKER_GOOD };
    if (server_tell(
            server, &upstream->balance.servers, upstream_state_servers(upstream), result, now_us))
        news->server = server_state_name(server_state(server, &upstream->balance.servers, now_us));
    news->index = self->server;
    if (how.is_repeated)
        breaker_forget(&state->breaker, self->ticket);
    else if (upstream->has_breaker &&
             breaker_tell(&state->breaker, &upstream->breaker, self->ticket, how.end, now_us))
        news->breaker = breaker_state_name(state->breaker.state);
}

/* What it holds, in whatever step it is. */
static void give_back(struct attempt *self)
{
    struct upstream_state *state = self->upstream->state;
    if (self->step == ATTEMPT_STARTED) {
        server_forget(self->upstream->states[self->server]);
        if (!self->is_told)
            breaker_forget(&state->breaker, self->ticket);
        hand_over_place(self);
    } else if (self->step == ATTEMPT_QUEUED && !bulkhead_cancel(&state->bulkhead, &self->waiter)) {
        hand_over_place(self); /* it had just got one */
    }
}

/* --- without the lock --- */

enum attempt_step attempt_begin(struct attempt *self, uint64_t key, long long now_us)
{
    struct upstream_state *state = self->upstream->state;
    struct news news = { NULL, NULL, 0 };
    pthread_mutex_lock(&state->lock);
    self->step = want(self, key, now_us, &news);
    pthread_mutex_unlock(&state->lock);
    tell_news(self->upstream, &news);
    return self->step;
}

enum attempt_step attempt_look(struct attempt *self, uint64_t key, long long now_us)
{
    struct upstream_state *state = self->upstream->state;
    struct news news = { NULL, NULL, 0 };
    pthread_mutex_lock(&state->lock);
    if (self->waiter.place == BULKHEAD_IN)
        self->step = start(self, key, now_us, &news);
    pthread_mutex_unlock(&state->lock);
    tell_news(self->upstream, &news);
    return self->step;
}

/* One that may be made again elsewhere leaves time for that; at the same server only where the file
 * says so: what is slow does not get faster by being asked twice. */
long long attempt_patience(const struct attempt *self, long long deadline_us, long long now_us)
{
    if (!self->may_repeat || self->is_unsafe)
        return LLONG_MAX;
    if (self->upstream->attempt_timeout_ms)
        return now_us + self->upstream->attempt_timeout_ms * 1000LL;
    return self->may_go_elsewhere ? now_us + (deadline_us - now_us) / 2 : LLONG_MAX;
}

void attempt_tell(struct attempt *self, struct attempt_result how, long long now_us)
{
    struct upstream_state *state = self->upstream->state;
    struct news news = { NULL, NULL, 0 };
    pthread_mutex_lock(&state->lock);
    tell(self, how, now_us, &news);
    pthread_mutex_unlock(&state->lock);
    self->is_told = true;
    tell_news(self->upstream, &news);
}

void attempt_end(struct attempt *self)
{
    struct upstream_state *state = self->upstream->state;
    pthread_mutex_lock(&state->lock);
    give_back(self);
    pthread_mutex_unlock(&state->lock);
    self->step = ATTEMPT_NONE;
}

bool attempt_crashed(struct attempt *self)
{
    struct upstream_state *state = self->upstream->state;
    if (!guard_lock(&state->lock))
        return false;
    give_back(self);
    pthread_mutex_unlock(&state->lock);
    return true;
}

/* Probes are to be few: one that fails has said what it was for. */
struct retry_answer attempt_repeat(
    struct attempt *self, struct retry_question *question, long long now_us)
{
    struct upstream_state *state = self->upstream->state;
    if (self->ticket.as == BREAKER_PROBE)
        return (struct retry_answer){ .verdict = RETRY_NO_ATTEMPTS };
    question->attempts = self->count;
    question->draw = draw(self->seed);
    pthread_mutex_lock(&state->lock);
    struct retry_answer answer =
        retry_decide(&self->upstream->retry, &state->budget, question, now_us);
    pthread_mutex_unlock(&state->lock);
    self->is_paid = answer.verdict == RETRY_YES;
    return answer;
}

void attempt_refund(struct attempt *self)
{
    struct upstream_state *state = self->upstream->state;
    pthread_mutex_lock(&state->lock);
    retry_budget_back(&state->budget);
    pthread_mutex_unlock(&state->lock);
    self->is_paid = false;
}

void attempt_outlook(const struct upstream *upstream, struct outlook *outlook)
{
    struct upstream_state *state = upstream->state;
    long long now_us = log_clock_us();
    pthread_mutex_lock(&state->lock);
    outlook->breaker = upstream->has_breaker
                           ? breaker_state_at(&state->breaker, &upstream->breaker, now_us)
                           : BREAKER_CLOSED;
    for (int i = 0; i < upstream->server_count; i++)
        outlook->servers[i] = server_state(upstream->states[i], &upstream->balance.servers, now_us);
    pthread_mutex_unlock(&state->lock);
}

void attempt_check(const struct upstream *upstream, int index, bool is_good)
{
    const struct server_settings *settings = &upstream->balance.servers;
    struct server *server = upstream->states[index];
    struct news news = { .index = index };
    long long now_us = log_clock_us();
    pthread_mutex_lock(&upstream->state->lock);
    if (server->is_checked && server_check(server, settings, is_good, now_us))
        news.server = server_state_name(server_state(server, settings, now_us));
    pthread_mutex_unlock(&upstream->state->lock);
    tell_news(upstream, &news);
}
