/* verdict: what the end of a call says of the service. */
#ifndef GATEWAY_VERDICT_H
#define GATEWAY_VERDICT_H

#include "breaker.h"
#include "call.h"
#include "retry.h"

/* A status that says that the service itself is in trouble; 501 and 505 are about the request (RFC
 * 9110 section 15.6). */
bool verdict_is_trouble(int status);

enum breaker_end verdict_of(const struct call *call);

enum retry_outcome verdict_for_retry(const struct call *call);

/* What its Retry-After says, in microseconds; 0: nothing. A date counts as far away. */
long long verdict_retry_after_us(const struct call *call);

#endif
