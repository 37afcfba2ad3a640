/* compose: answers a request by the route's calls and one reply from its template. */
#ifndef GATEWAY_COMPOSE_H
#define GATEWAY_COMPOSE_H

#include "config.h"
#include "lib/reply.h"

/* Returns the reply's status. A call's 4xx is the reply; another failure gives the route's
 * `failure` body. */
int compose(struct request *request, struct reply *reply, const struct config *config,
    const struct route *route, const struct route_match *match);

#endif
