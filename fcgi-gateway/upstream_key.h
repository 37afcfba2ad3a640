/* upstream_key: by what a call finds its server, where the same text means the same server. */
#ifndef GATEWAY_UPSTREAM_KEY_H
#define GATEWAY_UPSTREAM_KEY_H

#include "reference.h"
#include "upstream.h"

/* For call.key. 0 where the upstream does not balance by one. */
uint64_t upstream_key(const struct upstream *upstream, const struct reference_values *values);

#endif
