/* verdict: what the end of a call says of the service.
 *
 * Knows nothing of the rules that go by it, nor how much time the service had.
 */
#include "verdict.h"

/* A service that says "not before then" may mean a date, or years. */
#define RETRY_AFTER_MAX_S (24 * 60 * 60)

bool verdict_is_trouble(int status)
{
    return status >= 500 && status != 501 && status != 505;
}

enum breaker_end verdict_of(const struct call *call)
{
    if (call->outcome == CALL_TIMEOUT && !call->status)
        return BREAKER_SILENT;
    return call->outcome == CALL_OK && !verdict_is_trouble(call->status) ? BREAKER_GOOD
                                                                         : BREAKER_FAILED;
}

enum retry_outcome verdict_for_retry(const struct call *call)
{
    if (call->outcome == CALL_OK)
        return RETRY_REPLY;
    return call->is_unsent ? RETRY_NOT_SENT : RETRY_BROKEN;
}

long long verdict_retry_after_us(const struct call *call)
{
    struct str text = call_field(call, "Retry-After");
    long long seconds = 0;
    for (size_t i = 0; i < text.len && seconds < RETRY_AFTER_MAX_S; i++)
        seconds = text.at[i] >= '0' && text.at[i] <= '9' ? seconds * 10 + text.at[i] - '0'
                                                         : RETRY_AFTER_MAX_S;
    return seconds * 1000000;
}
