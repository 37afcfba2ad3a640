/* target_plan: where a request goes on to: a service and perhaps another path there, or the place
 * that a redirect names. */
#ifndef GATEWAY_TARGET_PLAN_H
#define GATEWAY_TARGET_PLAN_H

#include "config.h"

/* Reads "upstream" or "upstream /path/{with references}" into the route. Mistakes are noted.
 * Returns the query of that path, with what the environment says of it. */
struct str target_plan_read_pass(struct settings *settings, uint32_t node,
    const struct config *config, struct reference_scope *scope, struct route *route);

/* Reads "/path" or "https://host/path", with references behind the host only: no request can choose
 * where it is sent to. Mistakes are noted. */
void target_plan_read_redirect(
    struct settings *settings, uint32_t node, struct reference_scope *scope, struct route *route);

#endif
