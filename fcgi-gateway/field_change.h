/* field_change: what the file says about header fields, done to those of a request or a reply. */
#ifndef GATEWAY_FIELD_CHANGE_H
#define GATEWAY_FIELD_CHANGE_H

#include "field_plan.h"
#include "lib/reply.h"

/* The fields of a call as the plans want them: each named one is replaced by its value, or taken
 * away where it has none. In the arena of the values' request. */
const struct call_field *field_change_call(const struct call_field *fields,
    const struct field_plans *plans, const struct reference_values *values);

/* The same to what was added to the reply so far. */
void field_change_reply(
    struct reply *reply, const struct field_plans *plans, const struct reference_values *values);

#endif
