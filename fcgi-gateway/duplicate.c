/* duplicate: finds names that stand twice in one JSON object, wherever in the file.
 *
 * Done once for the whole file, so that no reader of a part of it has to think of it, and by
 * sorting, because comparing each name with each other takes seconds in a file of many routes.
 * Does not know what the names mean.
 */
#include "duplicate.h"
#include <stdlib.h>

struct member_name {
    struct str text;
    uint32_t node;
};

/* By text; equal ones in the order of the file. */
static int by_text(const void *a, const void *b)
{
    const struct member_name *x = a, *y = b;
    size_t len = x->text.len < y->text.len ? x->text.len : y->text.len;
    int order = len ? memcmp(x->text.at, y->text.at, len) : 0;
    if (!order)
        order = (x->text.len > y->text.len) - (x->text.len < y->text.len);
    return order ? order : (x->node > y->node) - (x->node < y->node);
}

/* Fills `names`, which has room for all members of the object, and sorts them. */
static uint32_t sort_names(
    const struct json *json, uint32_t object, struct arena *arena, struct member_name *names)
{
    uint32_t count = 0;
    for (uint32_t name = object + 1; name < json->nodes[object].next;
         name = json->nodes[name + 1].next)
        names[count++] = (struct member_name){ json_string(json, name, arena), name };
    qsort(names, count, sizeof *names, by_text);
    return count;
}

static void note(const struct json *json, struct mistakes *mistakes,
    const struct member_name *first, const struct member_name *name)
{
    mistake_add(mistakes, json->nodes[name->node].start,
        "'%.*s' stands here twice (first in line %u)", (int)name->text.len, name->text.at,
        mistake_line(mistakes, json->nodes[first->node].start));
}

const bool *duplicates_find(const struct json *json, struct arena *arena, struct mistakes *mistakes)
{
    bool *is_duplicate = arena_zero(arena, json->node_count * sizeof *is_duplicate);
    struct member_name *names = arena_alloc(arena, json->node_count * sizeof *names);
    for (uint32_t node = 0; node < json->node_count; node++) {
        if (json->nodes[node].type != JSON_OBJECT || json->nodes[node].count < 2)
            continue;
        uint32_t count = sort_names(json, node, arena, names), first = 0;
        for (uint32_t i = 1; i < count; i++)
            if (str_eq(names[first].text, names[i].text)) {
                is_duplicate[names[i].node] = true;
                note(json, mistakes, &names[first], &names[i]);
            } else {
                first = i;
            }
    }
    return is_duplicate;
}
