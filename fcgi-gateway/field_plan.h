/* field_plan: header fields that the file says, for a call or for the reply: names and templates.
 */
#ifndef GATEWAY_FIELD_PLAN_H
#define GATEWAY_FIELD_PLAN_H

#include "template.h"

struct field_plan {
    struct str name;
    const struct template_text *value;
};

struct field_plans {
    struct field_plan *list;
    unsigned count;
};

/* Reads {"Name": "text with {references}"}; mistakes are noted. */
void field_plans_read(struct settings *settings, uint32_t node, struct reference_scope *scope,
    struct field_plans *plans);

/* The value for this request, or an empty str (at NULL): the field is left out where a reference is
 * missing, and where the value would not fit into one line. In `arena`. */
struct str field_plan_value(
    const struct field_plan *plan, const struct reference_values *values, struct arena *arena);

/* Letters, digits and some signs, at least one of them: RFC 9110 section 5.6.2. */
bool field_plan_is_token(struct str name);

#endif
