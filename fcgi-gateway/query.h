/* query: the client's query on its way to a service, with what the file changes in it. */
#ifndef GATEWAY_QUERY_H
#define GATEWAY_QUERY_H

#include "field_plan.h"

/* Appends the query of the values' request to `target`, which has a path and perhaps a query of its
 * own. Parameters that the plans name are replaced by their values, or taken away where they have
 * none, and so are the client's of a name that is in the target already: what the file says, no
 * client can say otherwise. Everything else stays byte for byte. */
void query_add(
    struct buf *target, const struct field_plans *plans, const struct reference_values *values);

/* Has one of the parameters in `query` that name, once it is decoded? */
bool query_has(struct str query, struct str name, struct arena *arena);

#endif
