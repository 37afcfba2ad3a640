/* guard_plan: what keeps a sick service from harm and from harming, as the file says it. */
#ifndef GATEWAY_GUARD_PLAN_H
#define GATEWAY_GUARD_PLAN_H

#include "setting.h"
#include "upstream.h"

/* What holds where the file says nothing. */
void guard_plan_defaults(struct upstream *upstream);

/* The rest of it, once all of the file is read: what depends on how many requests there may be at
 * the same time. */
void guard_plan_settle(struct upstream *upstream, int requests_max);

/* All fill `upstream`, a struct upstream; mistakes are noted. */
void guard_plan_read_outlier(struct settings *settings, uint32_t node, void *upstream);
void guard_plan_read_breaker(struct settings *settings, uint32_t node, void *upstream);
void guard_plan_read_retry(struct settings *settings, uint32_t node, void *upstream);
void guard_plan_read_concurrent(struct settings *settings, uint32_t node, void *upstream);
void guard_plan_read_queue(struct settings *settings, uint32_t node, void *upstream);

#endif
