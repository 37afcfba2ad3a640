/* pace: shares and pauses that grow or shrink with time.
 *
 * What breakers, servers and retries have in common: none of them may come back all at once. It
 * knows none of them.
 */
#include "pace.h"

#define INTERVAL_JITTER 0.1

double pace_ramp(long long since_us, long long ramp_us, long long now_us)
{
    long long elapsed_us = now_us - since_us;
    if (elapsed_us >= ramp_us)
        return 1;
    if (elapsed_us <= 0)
        return PACE_RAMP_START;
    return PACE_RAMP_START + (1 - PACE_RAMP_START) * elapsed_us / ramp_us;
}

/* Exact after whole half-lives, up to 6 % too much between them: that saves libm. */
double pace_decay(long long half_us, long long elapsed_us)
{
    double left = 1;
    if (elapsed_us <= 0)
        return 1;
    if (half_us <= 0 || elapsed_us / half_us >= 64)
        return 0;
    for (; elapsed_us >= half_us; elapsed_us -= half_us)
        left /= 2;
    return left * (1 - elapsed_us / (2.0 * half_us));
}

long long pace_double(long long base_us, long long max_us, int times)
{
    while (times-- > 0 && base_us < max_us)
        base_us = base_us > max_us / 2 ? max_us : base_us * 2;
    return base_us < max_us ? base_us : max_us;
}

long long pace_backoff(long long base_us, long long max_us, int attempt, double draw)
{
    return (long long)(draw * pace_double(base_us, max_us, attempt - 1));
}

long long pace_interval(long long interval_us, double draw)
{
    return (long long)(interval_us * (1 - INTERVAL_JITTER + 2 * INTERVAL_JITTER * draw));
}
