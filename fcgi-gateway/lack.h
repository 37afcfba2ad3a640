/* lack: what a request lacks for the calls of its route, known before any of them is made. */
#ifndef GATEWAY_LACK_H
#define GATEWAY_LACK_H

#include "ask.h"

/* "body.user_id is missing": the first thing, in the order of the calls, that a call's path needs
 * of the request and does not find; NULL: nothing. Looks at calls that will be made and must go
 * well, as far as the request alone tells. */
const char *lack_find(const struct route *route, const struct ask_terms *terms,
    const struct reference_values *values);

#endif
