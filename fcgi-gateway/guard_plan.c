/* guard_plan: what keeps a sick service from harm and from harming, as the file says it.
 *
 * Settings for the rules of server.c, breaker.c, retry.c and bulkhead.c; the rules are theirs.
 * null in place of an object switches one off.
 */
#include "guard_plan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Beyond these a number is a mistake rather than a wish. */
#define CALLS_IN_WINDOW_MAX 100000
#define PROBES_MAX 1000
#define FAILURES_MAX 1000
#define RETRIES_MAX 10
#define CONCURRENT_MAX 100000

/* Where the file does not say how many calls of one service are made at once, and how many more
 * wait for their turn: half and a quarter of what the gateway serves at all, so that the rest is
 * for calls of other services, whatever becomes of this one. Who lowers that number wants just that
 * many requests, of whatever service. */
#define CONCURRENT_PART 2
#define QUEUE_PART 4
#define CONCURRENT_LEAST 512
#define QUEUE_LEAST 256
#define NOT_SAID (-1)

void guard_plan_defaults(struct upstream *upstream)
{
    upstream->balance =
        (struct balance_settings){ .kind = BALANCE_LEAST_TIME, .servers = server_defaults };
    upstream->has_breaker = true;
    upstream->breaker = breaker_defaults;
    upstream->retry = retry_defaults;
    upstream->places = (struct bulkhead_settings){ NOT_SAID, NOT_SAID };
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

void guard_plan_settle(struct upstream *upstream, int requests_max)
{
    struct bulkhead_settings *places = &upstream->places;
    if (places->concurrent_max == NOT_SAID)
        places->concurrent_max = larger(requests_max / CONCURRENT_PART, CONCURRENT_LEAST);
    if (places->queue_max == NOT_SAID)
        places->queue_max = larger(requests_max / QUEUE_PART, QUEUE_LEAST);
}

static bool is_null(struct settings *settings, uint32_t node)
{
    return settings->json.nodes[node].type == JSON_NULL;
}

static void read_duration(struct settings *settings, uint32_t node, long long *duration_us)
{
    int duration_ms;
    if (setting_duration(settings, node, &duration_ms))
        *duration_us = duration_ms * 1000LL;
}

/* --- outlier --- */

static void read_failures(struct settings *settings, uint32_t node, void *target)
{
    setting_int(settings, node, 1, FAILURES_MAX,
        &((struct upstream *)target)->balance.servers.ejection_failures);
}

static void read_for(struct settings *settings, uint32_t node, void *target)
{
    read_duration(settings, node, &((struct upstream *)target)->balance.servers.ejection_us);
}

static void read_for_max(struct settings *settings, uint32_t node, void *target)
{
    read_duration(settings, node, &((struct upstream *)target)->balance.servers.ejection_max_us);
}

static void read_share(struct settings *settings, uint32_t node, void *target)
{
    setting_percent(
        settings, node, 1, &((struct upstream *)target)->balance.servers.ejected_percent);
}

void guard_plan_read_outlier(struct settings *settings, uint32_t node, void *target)
{
    static const struct setting known[] = {
        { "failures", false, read_failures },
        { "for", false, read_for },
        { "for_max", false, read_for_max },
        { "share", false, read_share },
    };
    struct server_settings *servers = &((struct upstream *)target)->balance.servers;
    if (is_null(settings, node)) {
        servers->ejection_failures = 0;
        return;
    }
    setting_object(settings, node, known, COUNT(known), target);
    if (servers->ejection_max_us < servers->ejection_us)
        servers->ejection_max_us = servers->ejection_us;
}

/* --- breaker --- */

static void read_failure_share(struct settings *settings, uint32_t node, void *target)
{
    setting_percent(settings, node, 1, &((struct upstream *)target)->breaker.failure_percent);
}

static void read_calls(struct settings *settings, uint32_t node, void *target)
{
    setting_int(
        settings, node, 1, CALLS_IN_WINDOW_MAX, &((struct upstream *)target)->breaker.calls_min);
}

static void read_window(struct settings *settings, uint32_t node, void *target)
{
    read_duration(settings, node, &((struct upstream *)target)->breaker.window_us);
}

static void read_open(struct settings *settings, uint32_t node, void *target)
{
    read_duration(settings, node, &((struct upstream *)target)->breaker.open_us);
}

static void read_probes(struct settings *settings, uint32_t node, void *target)
{
    setting_int(settings, node, 1, PROBES_MAX, &((struct upstream *)target)->breaker.probes);
}

static void read_ramp(struct settings *settings, uint32_t node, void *target)
{
    read_duration(settings, node, &((struct upstream *)target)->breaker.ramp_us);
}

void guard_plan_read_breaker(struct settings *settings, uint32_t node, void *target)
{
    static const struct setting known[] = {
        { "failures", false, read_failure_share },
        { "calls", false, read_calls },
        { "window", false, read_window },
        { "open", false, read_open },
        { "probes", false, read_probes },
        { "ramp", false, read_ramp },
    };
    struct upstream *upstream = target;
    upstream->has_breaker = !is_null(settings, node);
    if (upstream->has_breaker)
        setting_object(settings, node, known, COUNT(known), upstream);
}

/* --- retry --- */

static void read_times(struct settings *settings, uint32_t node, void *target)
{
    int times;
    if (setting_int(settings, node, 1, RETRIES_MAX, &times))
        ((struct upstream *)target)->retry.attempts_max = times + 1;
}

static void read_backoff(struct settings *settings, uint32_t node, void *target)
{
    read_duration(settings, node, &((struct upstream *)target)->retry.backoff_us);
}

static void read_budget(struct settings *settings, uint32_t node, void *target)
{
    setting_percent(settings, node, 1, &((struct upstream *)target)->retry.budget_percent);
}

static void read_timeout(struct settings *settings, uint32_t node, void *target)
{
    setting_duration(settings, node, &((struct upstream *)target)->attempt_timeout_ms);
}

void guard_plan_read_retry(struct settings *settings, uint32_t node, void *target)
{
    static const struct setting known[] = {
        { "times", false, read_times },
        { "backoff", false, read_backoff },
        { "budget", false, read_budget },
        { "timeout", false, read_timeout },
    };
    struct retry_settings *retry = &((struct upstream *)target)->retry;
    if (is_null(settings, node)) {
        retry->attempts_max = 1;
        return;
    }
    setting_object(settings, node, known, COUNT(known), target);
    if (retry->backoff_max_us < retry->backoff_us)
        retry->backoff_max_us = retry->backoff_us;
}

/* --- places --- */

void guard_plan_read_concurrent(struct settings *settings, uint32_t node, void *target)
{
    struct bulkhead_settings *places = &((struct upstream *)target)->places;
    if (is_null(settings, node))
        places->concurrent_max = 0;
    else
        setting_int(settings, node, 1, CONCURRENT_MAX, &places->concurrent_max);
}

void guard_plan_read_queue(struct settings *settings, uint32_t node, void *target)
{
    setting_int(settings, node, 0, CONCURRENT_MAX, &((struct upstream *)target)->places.queue_max);
}
