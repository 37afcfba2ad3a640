/* field_plan: header fields and query parameters that the file says: names and templates. */
#ifndef GATEWAY_FIELD_PLAN_H
#define GATEWAY_FIELD_PLAN_H

#include "template.h"

struct field_plan {
    struct str name;
    const struct template_text *value; /* NULL: taken away */
};

struct field_plans {
    struct field_plan *list;
    unsigned count;
    bool are_parameters; /* of a query, and no header fields */
};

/* Reads {"Name": "text with {references}"}; mistakes are noted. */
void field_plans_read(struct settings *settings, uint32_t node, struct reference_scope *scope,
    struct field_plans *plans);

/* The same where the fields are changes to others: null takes one away. */
void field_plans_read_changes(struct settings *settings, uint32_t node,
    struct reference_scope *scope, struct field_plans *plans);

/* The same for parameters of a query, which may have any name, in this letter case only. */
void field_plans_read_parameters(struct settings *settings, uint32_t node,
    struct reference_scope *scope, struct field_plans *plans);

/* Adds the changes of `defaults` in front, but for those of a name that the plans have themselves.
 */
void field_plans_inherit(
    struct field_plans *plans, const struct field_plans *defaults, struct arena *arena);

/* Do the plans say something of this name? Letter case does not matter in header fields. */
bool field_plans_name(const struct field_plans *plans, struct str name);

/* The value for this request, or an empty str (at NULL): the field is left out where it is to be
 * taken away, where a reference is missing, and where the value would not fit into one line. In
 * `arena`. */
struct str field_plan_value(
    const struct field_plan *plan, const struct reference_values *values, struct arena *arena);

/* Letters, digits and some signs, at least one of them: RFC 9110 section 5.6.2. */
bool field_plan_is_token(struct str name);

#endif
