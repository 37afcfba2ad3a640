/* value: from one JSON value, or a column's fallback, to what the file keeps of it. */
#ifndef LIB_VALUE_H
#define LIB_VALUE_H

#include <time.h>
#include "json.h"
#include "table.h"

/* Reads the node for the column. Returns NULL, or what is wrong with it, such as "must be from 1 to
 * 1000"; it reads well behind the column's name. */
const char *value_read(const struct column *column, const struct json *json, uint32_t node,
    struct arena *arena, struct value *value);

/* The column's fallback, which is not NULL. */
void value_fall_back(
    const struct column *column, time_t now, struct arena *arena, struct value *value);

#endif
