/* server: one server of an upstream, as the gateway's calls and checks have found it. */
#ifndef GATEWAY_SERVER_H
#define GATEWAY_SERVER_H

#include <stdbool.h>
#include <stdint.h>

/* Servers of one upstream; a request notes in 64 bits which ones it has tried. */
#define SERVERS_MAX 64

struct server_settings {
    int fall, rise; /* so many bad checks in a row make it down, so many good ones up; 1 or more */
    int ejection_failures; /* so many failed calls in a row eject it; 0: never */
    int ejected_percent;   /* never more than this share of the servers at once */
    long long ejection_us; /* the first ejection; each further one lasts twice as long */
    long long ejection_max_us;
    long long calm_us;    /* for each such time without an ejection one doubling is forgotten */
    long long ramp_us;    /* from its return until it has its whole share of calls */
    long long half_us;    /* in this time without news the average of its response time halves */
    long long failure_us; /* a failed call counts as one that took this long at least */
};

/* What ships. ejection_max_us is the longest that a server which is back is kept waiting where
 * there are no active checks, at the price of one call per that time while it is not back. */
extern const struct server_settings server_defaults;

enum server_state {
    SERVER_UP,
    SERVER_RAMP,     /* back, with a growing share */
    SERVER_TRIAL,    /* its ejection is over; one call per `ejection_us` until one is good */
    SERVER_EJECTED,  /* by failed calls, for a time */
    SERVER_DOWN,     /* by active checks, until they are good */
    SERVER_DRAINING, /* by its owner: calls under way end, no new ones */
};

/* Owned by the edge, which may keep it over a reload; the upstream's mutex is held in every call.
 * Times are microseconds of one monotonic clock. */
struct server {
    double weight;                /* of the configuration, more than 0; 1 is usual */
    uint64_t hash;                /* of its address: balance_hash */
    bool is_draining, is_checked; /* says its owner */
    int under_way;                /* calls */
    double turn;                  /* balance.c's, for round_robin */

    /* server.c's own. */
    bool is_down, is_ejected, is_ramping;
    int checks_in_row;      /* those that speak against what it is now */
    int failures_in_row;    /* calls */
    int ejections;          /* doublings of the next ejection */
    long long out_since_us; /* when it was ejected or down the last time */
    long long ejected_until_us, trial_us, ramp_since_us;
    double average_us;
    long long average_at_us;
};

struct server_list {
    struct server *const *at; /* SERVERS_MAX at most */
    int count;
};

/* A server that is up, with its whole share. */
void server_init(struct server *server, double weight, uint64_t hash);

/* It gets its share in a ramp from now on: one that was added to others that run. */
void server_ramp(struct server *server, long long now_us);

/* Out or not, it is up, and gets its share in a ramp. */
void server_revive(struct server *server, long long now_us);

enum server_state server_state(
    const struct server *server, const struct server_settings *settings, long long now_us);

/* "up", "ramp", "trial", "ejected", "down", "draining" */
const char *server_state_name(enum server_state state);

/* The share, 0 to 1, of its usual calls that it may have now. 0: it is out. */
double server_share(
    const struct server *server, const struct server_settings *settings, long long now_us);

/* Is it on trial, and is a call that may be made again to try it first? After as long as there is
 * between two trials any call may: it could be that there are no others. */
bool server_wants_safe(
    const struct server *server, const struct server_settings *settings, long long now_us);

/* A decaying average of its response time in microseconds that follows a rise at once; without news
 * it falls, so that a server that was slow is asked again. 0: nothing known. */
double server_average(
    const struct server *server, const struct server_settings *settings, long long now_us);

/* A call to it begins. The caller keeps `now_us`, and owes one server_end or server_forget. */
void server_begin(struct server *server, const struct server_settings *settings, long long now_us);

struct server_result {
    long long started_us; /* what server_begin was given */
    long long took_us;    /* until the reply's head was there, or the failure */
    bool is_good;
};

/* What a call to it says, at its end or before that (a long reply is good long before it ends).
 * Returns whether its state has changed. A call from before it was ejected
 * or down says nothing of it any more. A good one from after that brings it back: that is how a
 * wrong check is found out. */
bool server_tell(struct server *server, const struct server_settings *settings,
    struct server_list list, struct server_result result, long long now_us);

/* A call to it has ended, and says this: both at once. */
bool server_end(struct server *server, const struct server_settings *settings,
    struct server_list list, struct server_result result, long long now_us);

/* A call to it ended: it has been told, or says nothing (the client went away). */
void server_forget(struct server *server);

/* An active check's result. Returns whether its state has changed. */
bool server_check(
    struct server *server, const struct server_settings *settings, bool is_good, long long now_us);

#endif
