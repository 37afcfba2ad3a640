/* text_map: finds things by a text, however many there are. */
#ifndef GATEWAY_TEXT_MAP_H
#define GATEWAY_TEXT_MAP_H

#include "lib/arena.h"
#include "lib/str.h"

struct text_map {
    struct arena *arena;
    struct text_entry *slots;
    size_t slot_count, count;
};

void text_map_init(struct text_map *map, struct arena *arena);

/* Where the value of `key` is, until the next call; NULL stands there when the key is new. The key
 * stays the caller's, who keeps it. */
void **text_map_at(struct text_map *map, struct str key);

/* Is there a value? Adds nothing. */
bool text_map_has(const struct text_map *map, struct str key);

#endif
