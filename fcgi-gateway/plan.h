/* plan: how one route is answered, read from its value in the file. */
#ifndef GATEWAY_PLAN_H
#define GATEWAY_PLAN_H

#include "config.h"

/* Reads the route's value at `node`: a name of an upstream, "builtin:health", or an object of one
 * of the kinds. Mistakes are noted. */
void plan_read(
    struct settings *settings, uint32_t node, struct config *config, struct route *route);

#endif
