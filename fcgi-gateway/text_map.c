/* text_map: finds things by a text, however many there are.
 *
 * A file may have ten thousand routes, and each is compared with all before it. An open table of
 * powers of two, at most half full. Texts are the file's own, so nobody chooses collisions.
 */
#include "text_map.h"
#include <stdint.h>

#define SLOTS_FIRST 64

struct text_entry {
    struct str key; /* at NULL: nothing is here */
    void *value;
};

void text_map_init(struct text_map *map, struct arena *arena)
{
    *map = (struct text_map){ .arena = arena, .slot_count = SLOTS_FIRST };
    map->slots = arena_zero(arena, map->slot_count * sizeof *map->slots);
}

/* FNV-1a */
static size_t hash(struct str key)
{
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < key.len; i++)
        sum = (sum ^ (unsigned char)key.at[i]) * 1099511628211u;
    return (size_t)(sum ^ sum >> 32);
}

/* The slot that has the key, or the free one that is its place. */
static struct text_entry *find(const struct text_map *map, struct str key)
{
    size_t i = hash(key);
    while (map->slots[i & (map->slot_count - 1)].key.at &&
           !str_eq(map->slots[i & (map->slot_count - 1)].key, key))
        i++;
    return &map->slots[i & (map->slot_count - 1)];
}

static void grow(struct text_map *map)
{
    struct text_map larger = *map;
    larger.slot_count *= 2;
    larger.slots = arena_zero(map->arena, larger.slot_count * sizeof *larger.slots);
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].key.at)
            *find(&larger, map->slots[i].key) = map->slots[i];
    *map = larger;
}

void **text_map_at(struct text_map *map, struct str key)
{
    if (map->count * 2 >= map->slot_count)
        grow(map);
    if (!key.at) /* an empty text is a key as well */
        key.at = "";
    struct text_entry *entry = find(map, key);
    if (!entry->key.at) {
        entry->key = key;
        map->count++;
    }
    return &entry->value;
}

bool text_map_has(const struct text_map *map, struct str key)
{
    return find(map, key)->value;
}
