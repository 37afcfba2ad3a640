/* sharing: answers a request from the cache, or together with others like it, or by itself. */
#ifndef GATEWAY_SHARING_H
#define GATEWAY_SHARING_H

#include "config.h"
#include "lib/reply.h"

/* How a route answers by itself. */
struct sharing_route {
    int (*answer)(struct request *request, struct reply *reply, const struct config *config,
        const struct route_match *match);
};

/* Answers a request whose route was found; `route->answer` where the cache and others cannot. After
 * a successful request that changes something, what is kept of its path is forgotten. Returns the
 * reply's status. */
int sharing_answer(struct request *request, struct reply *reply, const struct config *config,
    const struct route_match *match, const struct sharing_route *route);

#endif
