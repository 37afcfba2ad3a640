/* request_plan: what the file changes in a request that is passed through. */
#ifndef GATEWAY_REQUEST_PLAN_H
#define GATEWAY_REQUEST_PLAN_H

#include "field_plan.h"

struct request_plan {
    struct field_plans fields, parameters;
};

/* Reads {"headers": {...}, "query": {...}}; a text sets one, null takes it away. Mistakes are
 * noted, but for references to the request's body, which is never read: see the scope. `own` is the
 * query of the route's path, whose parameters must not stand here, too. */
void request_plan_read(struct settings *settings, uint32_t node, struct reference_scope *scope,
    struct str own, struct request_plan *plan);

#endif
