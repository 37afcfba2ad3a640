/* defaults: what routes inherit, and may override. */
#ifndef GATEWAY_DEFAULTS_H
#define GATEWAY_DEFAULTS_H

#include "cors_plan.h"
#include "cache_plan.h"
#include "request_plan.h"

struct route;

struct defaults {
    int timeout_ms; /* 0: not said */
    struct field_plans fields;
    struct request_plan request;
    const struct cors_plan *cors; /* also of what no route answers */
    struct cache_plan cache;
    const struct reference_input *inputs;         /* what `fields` refers to */
    const struct reference_input *request_inputs; /* and `request` */
};

/* Reads the object at `node`; mistakes are noted. `target` is a struct defaults. */
void defaults_read(struct settings *settings, uint32_t node, void *target);

/* Gives the route what it does not say itself; but for CORS, which a route can say that it has none
 * of. */
void defaults_apply(const struct defaults *defaults, struct route *route, struct arena *arena);

#endif
