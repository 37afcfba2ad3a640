/* json: whatever bytes come, the reader ends, stays inside them, and its nodes fit together. */
#include <stdlib.h>
#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct json json;
    struct json_error error;
    unsigned line, column;

    arena_init(&arena);
    if (json_read(&json, (struct str){ (const char *)data, size }, &arena, &error)) {
        for (uint32_t i = 0; i < json.node_count; i++) {
            struct json_node *node = &json.nodes[i];

            if (node->start >= node->end || node->end > size || node->next > json.node_count) {
                abort();
            }
            json_member(&json, i, STR("a"));
            json_element(&json, i, 1);
            if (node->type == JSON_STRING) {
                json_string(&json, i, &arena);
            }
        }
    } else {
        json_position(json.text, error.at, &line, &column);
        if (error.at > size) {
            abort();
        }
    }
    arena_clear(&arena);
    return 0;
}
