/* revalidation: asks the service anew when the client has got a stale reply. */
#ifndef GATEWAY_REVALIDATION_H
#define GATEWAY_REVALIDATION_H

#include "fetch.h"

/* Does that once the present request has its reply to the end, if nobody is at it for `stale`
 * already. `fetch` is that of the present request. */
void revalidation_plan(const struct fetch *fetch, struct stored *stale);

#endif
