/* cors: pages of other origins may read what the file lets them (Fetch standard, "CORS protocol").
 */
#ifndef GATEWAY_CORS_H
#define GATEWAY_CORS_H

#include "config.h"
#include "lib/reply.h"

/* Answers a preflight where the route that it asks about has CORS: returns true, the reply is
 * complete but for its status, 204. Else returns false, and the reply has the fields that its
 * route's CORS gives it, whatever it will become; `match` is that of the request, also where no
 * route was found. */
bool cors_answers(struct request *request, struct reply *reply, const struct config *config,
    const struct route_match *match);

/* May a page of `origin` (an Origin field; NULL: there is none) read the replies? */
bool cors_allows(const struct cors_plan *plan, const char *origin);

#endif
