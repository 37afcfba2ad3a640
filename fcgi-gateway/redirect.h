/* redirect: sends the client to another place. */
#ifndef GATEWAY_REDIRECT_H
#define GATEWAY_REDIRECT_H

#include "config.h"
#include "lib/reply.h"

/* Answers with the route's status and a Location made of its target; the client's query goes along
 * where the target has none of its own. 400 where the target refers to what the request lacks. */
int redirect(struct request *request, struct reply *reply, const struct route *route,
    const struct route_match *match);

#endif
