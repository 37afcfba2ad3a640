/* upstream_plan: the services behind the gateway, as the file says them. */
#ifndef GATEWAY_UPSTREAM_PLAN_H
#define GATEWAY_UPSTREAM_PLAN_H

#include "setting.h"

/* Reads {"name": {"servers": [...]}} at `node` into the upstreams of `config`, a struct config.
 * Mistakes are noted. */
void upstream_plans_read(struct settings *settings, uint32_t node, void *config);

#endif
