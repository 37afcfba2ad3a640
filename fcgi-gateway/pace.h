/* pace: shares and pauses that grow or shrink with time. */
#ifndef GATEWAY_PACE_H
#define GATEWAY_PACE_H

/* All times are microseconds of one monotonic clock, 0 or more. A `draw` is a random number of the
 * caller's, evenly spread, 0 <= draw < 1. Where `now_us` lies before the start (threads read the
 * clock before they have the lock), no time has passed. Pure: nothing to lock. */

/* What a ramp begins with: enough calls to learn from, few enough to lose. */
#define PACE_RAMP_START 0.1

/* The share, PACE_RAMP_START to 1, that a ramp of `ramp_us` has reached. 1 where it takes no time.
 */
double pace_ramp(long long since_us, long long ramp_us, long long now_us);

/* What is left, 0 to 1, of something that halves every `half_us`. 0 where that is no time. */
double pace_decay(long long half_us, long long elapsed_us);

/* `base_us`, doubled `times` times, but not beyond `max_us`. */
long long pace_double(long long base_us, long long max_us, int times);

/* A pause before attempt `attempt` + 1: anything from nothing to pace_double(..., attempt - 1), so
 * that those who failed together do not come back together ("full jitter"). */
long long pace_backoff(long long base_us, long long max_us, int attempt, double draw);

/* An interval, up to a tenth shorter or longer, so that what repeats does not fall into step. */
long long pace_interval(long long interval_us, double draw);

#endif
