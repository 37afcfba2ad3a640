/* cache_plan: what the file says about keeping and sharing a route's replies. */
#ifndef GATEWAY_CACHE_PLAN_H
#define GATEWAY_CACHE_PLAN_H

#include "field_plan.h"
#include "freshness.h"
#include "setting.h"

enum cache_choice {
    CACHE_UNSAID, /* what is inherited holds */
    CACHE_OFF,
    CACHE_ON,
};

struct cache_plan {
    enum cache_choice keeps;     /* "cache" */
    enum cache_choice coalesces; /* "coalesce" */
    struct freshness_setting setting;
    const char *for_one; /* the reply's own field that rules both out, or NULL */
};

/* "5s", "5s stale 30s", {"ttl":"5s","stale":"30s"}, or null: none. Mistakes are noted. */
void cache_plan_read(struct settings *settings, uint32_t node, struct cache_plan *plan);

/* true or false. */
void cache_plan_read_coalesce(struct settings *settings, uint32_t node, struct cache_plan *plan);

/* Takes over what the plan does not say itself. */
void cache_plan_inherit(struct cache_plan *plan, const struct cache_plan *from);

/* Where the reply's own fields, as the file says them, make each reply for one client only, neither
 * is done; the route at `node` is warned where it says that all the same. */
void cache_plan_heed_fields(struct settings *settings, uint32_t node, struct cache_plan *plan,
    const struct field_plans *fields);

/* Where nothing was said: requests at the same time share what is kept anyway, and what costs
 * several calls. */
void cache_plan_settle(struct cache_plan *plan, bool is_composed);

/* Of the route's value at `node`, and of all that it may depend on elsewhere in the file. */
uint64_t cache_plan_fingerprint(struct settings *settings, uint32_t node);

#endif
