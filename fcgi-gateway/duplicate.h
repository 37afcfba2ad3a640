/* duplicate: finds names that stand twice in one JSON object, wherever in the file. */
#ifndef GATEWAY_DUPLICATE_H
#define GATEWAY_DUPLICATE_H

#include "lib/json.h"
#include "mistake.h"

/* Notes a mistake for every member name that its object has already. Returns a flag for each node,
 * true for those names, in `arena`. */
const bool *duplicates_find(
    const struct json *json, struct arena *arena, struct mistakes *mistakes);

#endif
