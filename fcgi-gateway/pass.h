/* pass: answers a request by one call, streamed both ways, never parsed and never held whole. */
#ifndef GATEWAY_PASS_H
#define GATEWAY_PASS_H

#include "config.h"
#include "lib/reply.h"

/* Returns the reply's status; what goes wrong before it begins becomes an error reply, what goes
 * wrong later breaks it off. */
int pass_through(struct request *request, struct reply *reply, const struct config *config,
    const struct route *route, const struct route_match *match);

#endif
