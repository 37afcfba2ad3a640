/* server: one server of an upstream, as the gateway's calls and checks have found it.
 *
 * Two judges that know nothing of each other: active checks (down and up again), and failed calls
 * (ejected for a time, then on trial). A server is out where either says so. Who gets which call is
 * balance.c's business; how calls and checks are made, and when, is the edge's.
 */
#include "server.h"
#include "pace.h"

const struct server_settings server_defaults = {
    .fall = 3,
    .rise = 2,
    .ejection_failures = 5,
    .ejected_percent = 50,
    .ejection_us = 500000,
    .ejection_max_us = 2 * 1000000LL,
    .calm_us = 10 * 1000000LL,
    .ramp_us = 1000000,
    .half_us = 500000,
    .failure_us = 1000000,
};

void server_init(struct server *server, double weight, uint64_t hash)
{
    *server = (struct server){ .weight = weight, .hash = hash };
}

void server_ramp(struct server *server, long long now_us)
{
    server->is_ramping = true;
    server->ramp_since_us = now_us;
}

enum server_state server_state(
    const struct server *server, const struct server_settings *settings, long long now_us)
{
    if (server->is_draining)
        return SERVER_DRAINING;
    if (server->is_down)
        return SERVER_DOWN;
    if (server->is_ejected)
        return now_us < server->ejected_until_us ? SERVER_EJECTED : SERVER_TRIAL;
    if (server->is_ramping && now_us - server->ramp_since_us < settings->ramp_us)
        return SERVER_RAMP;
    return SERVER_UP;
}

const char *server_state_name(enum server_state state)
{
    static const char *const names[] = {
        [SERVER_UP] = "up",
        [SERVER_RAMP] = "ramp",
        [SERVER_TRIAL] = "trial",
        [SERVER_EJECTED] = "ejected",
        [SERVER_DOWN] = "down",
        [SERVER_DRAINING] = "draining",
    };
    return names[state];
}

double server_share(
    const struct server *server, const struct server_settings *settings, long long now_us)
{
    switch (server_state(server, settings, now_us)) {
    case SERVER_UP:
        return 1;
    case SERVER_RAMP:
        return pace_ramp(server->ramp_since_us, settings->ramp_us, now_us);
    case SERVER_TRIAL:
        return now_us >= server->trial_us ? PACE_RAMP_START : 0;
    default:
        return 0;
    }
}

bool server_wants_safe(
    const struct server *server, const struct server_settings *settings, long long now_us)
{
    return server_state(server, settings, now_us) == SERVER_TRIAL &&
           now_us - server->trial_us < settings->ejection_us;
}

double server_average(
    const struct server *server, const struct server_settings *settings, long long now_us)
{
    return server->average_us * pace_decay(settings->half_us, now_us - server->average_at_us);
}

void server_begin(struct server *server, const struct server_settings *settings, long long now_us)
{
    server->under_way++;
    if (server_state(server, settings, now_us) == SERVER_TRIAL)
        server->trial_us = now_us + settings->ejection_us;
}

/* The average rises at once and falls slowly ("peak EWMA"): a queue at a server shows in its worst
 * calls first. It does not fall by a failed call: who is slow must not look faster by failing. */
static void note_time(struct server *server, const struct server_settings *settings,
    struct server_result result, long long now_us)
{
    double left = pace_decay(settings->half_us, now_us - server->average_at_us);
    double known_us = server->average_us * left, sample_us = result.took_us;
    if (!result.is_good && sample_us < settings->failure_us)
        sample_us = settings->failure_us;
    if (!result.is_good && sample_us < known_us)
        sample_us = known_us;
    if (sample_us < known_us)
        sample_us = known_us + (1 - left) * sample_us;
    server->average_us = sample_us;
    server->average_at_us = now_us;
}

/* What was known of it is forgotten: it may be another process, on another machine. */
static void forget_past(struct server *server)
{
    server->checks_in_row = server->failures_in_row = 0;
    server->average_us = 0;
}

void server_revive(struct server *server, long long now_us)
{
    server->is_down = server->is_ejected = false;
    forget_past(server);
    server_ramp(server, now_us);
}

static void eject(struct server *server, const struct server_settings *settings, long long now_us)
{
    long long length_us, calm_us = now_us - server->ejected_until_us;
    while (server->ejections > 0 && settings->calm_us > 0 && calm_us >= settings->calm_us) {
        server->ejections--;
        calm_us -= settings->calm_us;
    }
    length_us = pace_double(settings->ejection_us, settings->ejection_max_us, server->ejections);
    if (length_us < settings->ejection_max_us) /* more would only take longer to forget */
        server->ejections++;
    server->is_ejected = true;
    server->out_since_us = now_us;
    server->ejected_until_us = server->trial_us = now_us + length_us;
    forget_past(server);
}

/* One more may go, if that leaves enough. Those on trial are as good as ejected. */
static bool may_eject(struct server_list list, const struct server_settings *settings)
{
    int total = 0, ejected = 0;
    for (int i = 0; i < list.count; i++) {
        total += !list.at[i]->is_draining;
        ejected += !list.at[i]->is_draining && list.at[i]->is_ejected;
    }
    return (ejected + 1) * 100 <= total * settings->ejected_percent;
}

/* Returns whether the state has changed. */
static bool note_failure(struct server *server, const struct server_settings *settings,
    struct server_list list, long long now_us)
{
    switch (server_state(server, settings, now_us)) {
    case SERVER_TRIAL:
        eject(server, settings, now_us);
        return true;
    case SERVER_UP:
    case SERVER_RAMP:
        server->failures_in_row++;
        if (settings->ejection_failures == 0 ||
            server->failures_in_row < settings->ejection_failures || !may_eject(list, settings))
            return false;
        eject(server, settings, now_us);
        return true;
    default: /* out already, or on its way out */
        return false;
    }
}

/* Returns whether the state has changed. For one that is down, a good call counts as a good check:
 * calls are what it is for. */
static bool note_success(
    struct server *server, const struct server_settings *settings, long long now_us)
{
    server->failures_in_row = 0;
    if (server->is_down)
        return server_check(server, settings, true, now_us);
    if (!server->is_ejected)
        return false;
    server_revive(server, now_us);
    return true;
}

bool server_tell(struct server *server, const struct server_settings *settings,
    struct server_list list, struct server_result result, long long now_us)
{
    if (result.started_us < server->out_since_us)
        return false;
    note_time(server, settings, result, now_us);
    if (result.is_good)
        return note_success(server, settings, now_us);
    return note_failure(server, settings, list, now_us);
}

bool server_end(struct server *server, const struct server_settings *settings,
    struct server_list list, struct server_result result, long long now_us)
{
    server_forget(server);
    return server_tell(server, settings, list, result, now_us);
}

void server_forget(struct server *server)
{
    if (server->under_way > 0)
        server->under_way--;
}

bool server_check(
    struct server *server, const struct server_settings *settings, bool is_good, long long now_us)
{
    if (is_good != server->is_down) {
        server->checks_in_row = 0;
        return false;
    }
    if (++server->checks_in_row < (is_good ? settings->rise : settings->fall))
        return false;
    if (is_good) {
        server_revive(server, now_us);
        return true;
    }
    server->is_down = true;
    server->out_since_us = now_us;
    forget_past(server);
    return true;
}
