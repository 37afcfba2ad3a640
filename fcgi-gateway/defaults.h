/* defaults: what routes inherit, and may override. */
#ifndef GATEWAY_DEFAULTS_H
#define GATEWAY_DEFAULTS_H

#include "request_plan.h"

struct route;

struct defaults {
    int timeout_ms; /* 0: not said */
    struct field_plans fields;
    struct request_plan request;
};

/* Reads the object at `node`; mistakes are noted. `target` is a struct defaults. */
void defaults_read(struct settings *settings, uint32_t node, void *target);

/* Gives the route what it does not say itself. */
void defaults_apply(const struct defaults *defaults, struct route *route, struct arena *arena);

#endif
