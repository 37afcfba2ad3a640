/* breaker: stops asking a service that fails, and finds out when to ask again.
 *
 * A service that is down gets a few probes per second instead of all callers, and they get their
 * answer at once instead of after a timeout. What is asked, and of which server, is not its
 * business; nor is the clock.
 */
#include "breaker.h"
#include <string.h>
#include "pace.h"

/* Where `calls_min` failures in a row, and nothing else, came over this time, the window's older
 * calls no longer matter: all of the service is out. A time, because one of its servers may die
 * with as many calls under way, all at once. */
#define ROW_MIN_US 100000

/* A service that says nothing makes a failure of each caller once per timeout, which may be far too
 * few for `calls_min`. So many timeouts without one good reply between them are enough, if there
 * was none for all of this time: one slow endpoint beside others that answer is not a silent
 * service. */
#define SILENT_CALLS 3
#define SILENCE_MIN_US 2000000

const struct breaker_settings breaker_defaults = {
    .failure_percent = 50,
    .calls_min = 20,
    .probes = 3,
    .window_us = 10 * 1000000LL,
    .open_us = 1000000,
    .ramp_us = 1000000,
};

enum breaker_state breaker_state_at(
    const struct breaker *breaker, const struct breaker_settings *settings, long long now_us)
{
    long long elapsed_us = now_us - breaker->since_us;
    if (breaker->state == BREAKER_OPEN && elapsed_us >= settings->open_us)
        return BREAKER_HALF_OPEN;
    if (breaker->state == BREAKER_RAMP && elapsed_us >= settings->ramp_us)
        return BREAKER_CLOSED;
    return breaker->state;
}

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[] = {
        [BREAKER_CLOSED] = "closed",
        [BREAKER_OPEN] = "open",
        [BREAKER_HALF_OPEN] = "half-open",
        [BREAKER_RAMP] = "ramp",
    };
    return names[state];
}

static void enter(struct breaker *breaker, enum breaker_state state, long long now_us)
{
    breaker->state = state;
    breaker->since_us = now_us;
    breaker->probes_out = breaker->probes_good = 0;
    breaker->failures_in_row = breaker->silent_in_row = 0;
    if (state == BREAKER_RAMP || state == BREAKER_CLOSED)
        breaker->has_lost_probes = false;
    breaker->round++;
}

/* The ramp's counts go on into the closed state; before and after an outage have nothing in
 * common. */
static void open(struct breaker *breaker, long long now_us)
{
    enter(breaker, BREAKER_OPEN, now_us);
    breaker->generation++;
    memset(breaker->buckets, 0, sizeof breaker->buckets);
}

static void let_time_pass(
    struct breaker *breaker, const struct breaker_settings *settings, long long now_us)
{
    enum breaker_state state = breaker_state_at(breaker, settings, now_us);
    if (state == BREAKER_HALF_OPEN && state != breaker->state)
        enter(breaker, state, breaker->since_us + settings->open_us);
    else if (state != breaker->state)
        enter(breaker, state, now_us);
}

static void refuse(struct breaker_ticket *ticket, long long retry_after_us)
{
    ticket->as = BREAKER_REFUSED;
    ticket->retry_after_us = retry_after_us > 0 ? retry_after_us : 1;
}

/* For this part of `open_us` only calls that change nothing are probes, if there are such. */
#define SAFE_ONLY_PART 4

/* How long an unsafe call has to leave the next probe to others. As soon as one was good, it need
 * not. */
static long long safe_only_us(
    const struct breaker *breaker, const struct breaker_settings *settings, long long now_us)
{
    long long since_us =
        breaker->since_us > breaker->probe_us ? breaker->since_us : breaker->probe_us;
    return breaker->probes_good > 0 ? 0 : since_us + settings->open_us / SAFE_ONLY_PART - now_us;
}

/* Probes that are not back after `open_us` keep nobody else from trying: they may be lost in a
 * network that is whole again. Their result still counts, for a service may be that slow. But then
 * it gets one at a time until one is good: each is a caller who waits for a whole timeout. */
static void ask_for_probe(struct breaker *breaker, const struct breaker_settings *settings,
    struct breaker_ticket *ticket, bool is_unsafe, long long now_us)
{
    if (is_unsafe && safe_only_us(breaker, settings, now_us) > 0) {
        refuse(ticket, safe_only_us(breaker, settings, now_us));
        return;
    }
    if (breaker->probes_out > 0 && now_us - breaker->probe_us >= settings->open_us) {
        breaker->probes_out = 0;
        breaker->has_lost_probes = true;
        breaker->round++;
    }
    int most = breaker->has_lost_probes && breaker->probes_good == 0 ? 1 : settings->probes;
    if (breaker->probes_out + breaker->probes_good >= most) {
        refuse(ticket, breaker->probe_us + settings->open_us - now_us);
        return;
    }
    breaker->probes_out++;
    breaker->probe_us = now_us;
    ticket->as = BREAKER_PROBE;
}

struct breaker_ticket breaker_ask(struct breaker *breaker, const struct breaker_settings *settings,
    bool is_unsafe, long long now_us, double draw)
{
    struct breaker_ticket ticket = { .as = BREAKER_NORMAL };
    enum breaker_state before = breaker->state;
    let_time_pass(breaker, settings, now_us);
    if (breaker->state == BREAKER_OPEN)
        refuse(&ticket, breaker->since_us + settings->open_us - now_us);
    else if (breaker->state == BREAKER_HALF_OPEN)
        ask_for_probe(breaker, settings, &ticket, is_unsafe, now_us);
    else if (breaker->state == BREAKER_RAMP &&
             draw >= pace_ramp(breaker->since_us, settings->ramp_us, now_us))
        refuse(&ticket, breaker->since_us + settings->ramp_us - now_us);
    ticket.generation = breaker->generation;
    ticket.round = breaker->round;
    ticket.asked_us = now_us;
    ticket.has_changed = breaker->state != before;
    return ticket;
}

/* Slots of another width are numbered otherwise: a reload has changed the window. */
static long long slot_at(
    struct breaker *breaker, const struct breaker_settings *settings, long long now_us)
{
    long long width_us = settings->window_us / BREAKER_BUCKETS;
    if (breaker->bucket_us != width_us)
        memset(breaker->buckets, 0, sizeof breaker->buckets);
    breaker->bucket_us = width_us;
    return now_us / width_us;
}

/* The bucket of now. A clock that was read before another thread's counts there, too. */
static struct breaker_bucket *bucket_at(struct breaker *breaker, long long slot)
{
    struct breaker_bucket *bucket = &breaker->buckets[slot % BREAKER_BUCKETS];
    if (bucket->slot < slot)
        *bucket = (struct breaker_bucket){ .slot = slot };
    return bucket;
}

static bool is_failing(
    const struct breaker *breaker, const struct breaker_settings *settings, long long slot)
{
    long long calls = 0, failures = 0;
    for (int i = 0; i < BREAKER_BUCKETS; i++) {
        const struct breaker_bucket *bucket = &breaker->buckets[i];
        if (bucket->slot > slot - BREAKER_BUCKETS) {
            calls += bucket->calls;
            failures += bucket->failures;
        }
    }
    return calls >= settings->calls_min && failures * 100 >= calls * settings->failure_percent;
}

static bool is_dead(struct breaker *breaker, const struct breaker_settings *settings, bool is_good,
    long long now_us)
{
    if (is_good) {
        breaker->failures_in_row = 0;
        return false;
    }
    if (now_us - breaker->row_since_us >= settings->window_us)
        breaker->failures_in_row = 0;
    if (breaker->failures_in_row++ == 0)
        breaker->row_since_us = now_us;
    return breaker->failures_in_row >= settings->calls_min &&
           now_us - breaker->row_since_us >= ROW_MIN_US;
}

static bool is_silent(struct breaker *breaker, const struct breaker_settings *settings,
    enum breaker_end how, long long asked_us, long long now_us)
{
    if (how == BREAKER_GOOD) {
        breaker->silent_in_row = 0;
        breaker->good_us = now_us;
    }
    if (how != BREAKER_SILENT)
        return false;
    if (asked_us - breaker->silent_until_us >= settings->window_us)
        breaker->silent_in_row = 0;
    if (breaker->silent_in_row++ == 0)
        breaker->silent_since_us = asked_us > breaker->good_us ? asked_us : breaker->good_us;
    breaker->silent_until_us = now_us;
    return now_us - breaker->silent_since_us >= SILENCE_MIN_US &&
           (breaker->silent_in_row >= SILENT_CALLS ||
               breaker->silent_in_row >= settings->calls_min);
}

static void count(struct breaker *breaker, const struct breaker_settings *settings,
    enum breaker_end how, long long asked_us, long long now_us)
{
    bool is_good = how == BREAKER_GOOD;
    long long slot = slot_at(breaker, settings, now_us);
    struct breaker_bucket *bucket = bucket_at(breaker, slot);
    bucket->calls++;
    bucket->failures += !is_good;
    bool was_silent = is_silent(breaker, settings, how, asked_us, now_us);
    /* Nothing opens on a call that went well: the service may be back already. */
    if (is_dead(breaker, settings, is_good, now_us) || was_silent ||
        (!is_good && is_failing(breaker, settings, slot)))
        open(breaker, now_us);
}

static void judge_probe(struct breaker *breaker, const struct breaker_settings *settings,
    bool is_good, long long now_us)
{
    if (!is_good)
        open(breaker, now_us);
    else if (++breaker->probes_good >= settings->probes)
        enter(breaker, settings->ramp_us > 0 ? BREAKER_RAMP : BREAKER_CLOSED, now_us);
}

bool breaker_tell(struct breaker *breaker, const struct breaker_settings *settings,
    struct breaker_ticket ticket, enum breaker_end how, long long now_us)
{
    enum breaker_state before = breaker->state;
    if (ticket.as == BREAKER_REFUSED || ticket.generation != breaker->generation)
        return false;
    breaker_forget(breaker, ticket);
    let_time_pass(breaker, settings, now_us);
    if (breaker->state == BREAKER_HALF_OPEN)
        judge_probe(breaker, settings, how == BREAKER_GOOD, now_us);
    else if (breaker->state != BREAKER_OPEN)
        count(breaker, settings, how, ticket.asked_us, now_us);
    return breaker->state != before;
}

void breaker_forget(struct breaker *breaker, struct breaker_ticket ticket)
{
    if (ticket.as == BREAKER_PROBE && ticket.round == breaker->round && breaker->probes_out > 0)
        breaker->probes_out--;
}
