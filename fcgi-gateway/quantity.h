/* quantity: durations, sizes and shares as people write them, read and written. */
#ifndef GATEWAY_QUANTITY_H
#define GATEWAY_QUANTITY_H

#include <stdint.h>
#include "lib/arena.h"

/* "5s", "120ms", "2min": in the largest unit that leaves a whole number. In the arena. */
const char *quantity_duration(struct arena *arena, int64_t duration_ms);

/* "1MiB", "512B": the same. In the arena. */
const char *quantity_size(struct arena *arena, int64_t bytes);

/* The other direction: milliseconds, and bytes; -1 where the text is no number with a unit, or too
 * large for the type. */
int64_t quantity_duration_of(const char *text);
int64_t quantity_size_of(const char *text);

/* "50%": the number, or -1. */
int64_t quantity_share_of(const char *text);

#endif
