/* server_plan: the servers of an upstream, as the file says them, and which of them gets a call. */
#ifndef GATEWAY_SERVER_PLAN_H
#define GATEWAY_SERVER_PLAN_H

#include "setting.h"
#include "template.h"
#include "upstream.h"

/* Both fill `upstream`, a struct upstream; mistakes are noted. */
void server_plans_read(struct settings *settings, uint32_t node, void *upstream);
void server_plan_read_balance(struct settings *settings, uint32_t node, void *upstream);

#endif
