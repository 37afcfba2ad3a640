/* shape: the JSON Schema of what a template gives, as far as the template itself tells. */
#ifndef GATEWAY_SHAPE_H
#define GATEWAY_SHAPE_H

#include "lib/buf.h"
#include "lib/json.h"
#include "setting.h"

/* Appends a schema (JSON Schema 2020-12) of what the template at `node` gives. What comes from
 * references may be anything; what is fixed is said. */
void shape_write(const struct json *json, uint32_t node, struct buf *out);

/* The same for a template of the file, in the settings' arena. */
struct str shape_of(const struct settings *settings, uint32_t node);

#endif
