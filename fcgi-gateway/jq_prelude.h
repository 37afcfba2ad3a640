/* jq_prelude: what stands in front of every jq program, so that no input can harm the gateway. */
#ifndef GATEWAY_JQ_PRELUDE_H
#define GATEWAY_JQ_PRELUDE_H

#include "lib/buf.h"
#include "lib/str.h"

/* Appends the definitions that `program` needs, in whole lines. Returns how many lines. */
unsigned jq_prelude_write(struct buf *out, struct str program);

#endif
