/* shape: the JSON Schema of what a template gives, as far as the template itself tells. */
#ifndef GATEWAY_SHAPE_H
#define GATEWAY_SHAPE_H

#include "lib/buf.h"
#include "lib/json.h"
#include "setting.h"

/* A schema (JSON Schema 2020-12) of what the template at `node` of the file gives, in the settings'
 * arena. What comes from references may be anything; what is fixed is said. */
struct str shape_of(const struct settings *settings, uint32_t node);

#endif
