/* quantity: durations and sizes as the file would say them. */
#ifndef GATEWAY_QUANTITY_H
#define GATEWAY_QUANTITY_H

#include <stdint.h>
#include "lib/arena.h"

/* "5s", "120ms", "2min": in the largest unit that leaves a whole number. In the arena. */
const char *quantity_duration(struct arena *arena, int64_t duration_ms);

/* "1MiB", "512B": the same. In the arena. */
const char *quantity_size(struct arena *arena, int64_t bytes);

#endif
