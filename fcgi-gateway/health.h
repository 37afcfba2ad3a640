/* health: builtin:health, the gateway's own state and that of every upstream. */
#ifndef GATEWAY_HEALTH_H
#define GATEWAY_HEALTH_H

#include "config.h"
#include "lib/reply.h"

/* Asks every upstream at once. 200 when all are healthy, else 503. */
int health(struct request *request, struct reply *reply, const struct config *config);

#endif
