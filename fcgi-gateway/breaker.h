/* breaker: stops asking a service that fails, and finds out when to ask again. */
#ifndef GATEWAY_BREAKER_H
#define GATEWAY_BREAKER_H

#include <stdbool.h>

/* closed:    everything is asked; the failures among the last calls are counted. It opens when
 *            they are too large a share, or when for a moment there was nothing else, or when the
 *            service did not say anything to several callers.
 * open:      nothing is asked, for `open_us`.
 * half open: a few calls are let through as probes. One that fails: open again. All good: ramp.
 * ramp:      a growing share is asked, and counted as when closed.
 *
 * No timer: time passes when somebody asks. The caller holds the upstream's mutex in every call.
 * Times are microseconds of one monotonic clock; a draw is a random number, 0 <= draw < 1. */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_RAMP };

/* The window moves on in steps of this part of it. */
#define BREAKER_BUCKETS 10

struct breaker_settings {
    int failure_percent; /* 1 to 100: this share of the window's calls opens it */
    int calls_min;       /* 1 or more: fewer calls say nothing */
    int probes;          /* 1 or more */
    long long window_us; /* BREAKER_BUCKETS or more */
    long long open_us;
    long long ramp_us; /* 0: no ramp */
};

/* What ships: 200 again within open + ramp and one reply's time, 2 s, after the service is back. */
extern const struct breaker_settings breaker_defaults;

struct breaker_bucket {
    long long slot; /* the number of the time step that it counts */
    int calls, failures;
};

/* All zero is a new one, closed. */
struct breaker {
    enum breaker_state state;
    long long since_us;  /* when the state began */
    unsigned generation; /* grows when it opens: calls from before then are history */
    unsigned round;      /* of probes; grows when those that did not come back are written off */
    int probes_out, probes_good;
    long long probe_us; /* when the last probe left */
    int failures_in_row;
    long long row_since_us;                     /* the first of them */
    int silent_in_row;                          /* timeouts since the last good call */
    long long silent_since_us, silent_until_us; /* their first question, their last end */
    long long good_us;                          /* the last good call's end */
    bool has_lost_probes;                       /* some were written off in this outage */
    long long bucket_us;                        /* the buckets' width */
    struct breaker_bucket buckets[BREAKER_BUCKETS];
};

enum breaker_admission { BREAKER_REFUSED, BREAKER_NORMAL, BREAKER_PROBE };

/* What a caller keeps of its question until the call has ended. */
struct breaker_ticket {
    enum breaker_admission as;
    unsigned generation, round;
    long long asked_us;
    long long retry_after_us; /* where refused: 1 or more */
    bool has_changed;         /* the breaker's state, by the asking: to be logged */
};

/* May the service be called? What is unsafe, because it may change something, is a probe only where
 * nothing else has been one for a while: it may fail, and cannot be made again. Who is admitted
 * owes exactly one breaker_tell or breaker_forget. */
struct breaker_ticket breaker_ask(struct breaker *breaker, const struct breaker_settings *settings,
    bool is_unsafe, long long now_us, double draw);

enum breaker_end {
    BREAKER_FAILED,
    BREAKER_GOOD,
    BREAKER_SILENT, /* failed: no reply in the time that there was for it */
};

/* How an admitted call ended. Returns whether the state has changed. Calls from before the breaker
 * opened change nothing. */
bool breaker_tell(struct breaker *breaker, const struct breaker_settings *settings,
    struct breaker_ticket ticket, enum breaker_end how, long long now_us);

/* An admitted call ended without saying anything of the service: its client went away, or another
 * rule refused it. */
void breaker_forget(struct breaker *breaker, struct breaker_ticket ticket);

/* The state as somebody who asks now would find it; for those who only look. */
enum breaker_state breaker_state_at(
    const struct breaker *breaker, const struct breaker_settings *settings, long long now_us);

/* "closed", "open", "half-open", "ramp" */
const char *breaker_state_name(enum breaker_state state);

#endif
