/* route: the first line is a pattern, the second a path; neither may break the router. */
#include <stdint.h>
#include <stdlib.h>
#include "lib/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str path = { (const char *)data, size };
    struct str line = str_take(&path, '\n');
    struct arena arena;
    struct router *router;
    struct route_match match;
    const char *error;
    void *other;

    arena_init(&arena);
    router = router_new(&arena);
    router_add(router, STR("GET /a/{id:int}/b"), &arena, &error, &other);
    router_add(router, STR("GET,POST /a/{x}/{y}"), &arena, &error, &other);
    router_add(router, STR("PUT /a/{rest*}"), &arena, &error, &other);
    router_add(router, line, &arena, &error, &other);
    if (router_find(router, "PUT", path, &arena, &match) == ROUTE_FOUND) {
        for (unsigned i = 0; i < match.parameter_count; i++) {
            const struct route_parameter *parameter = &match.parameters[i];
            bool may_be_empty = parameter->value.at == path.at + path.len; /* of a rest */

            if ((parameter->value.len == 0 && !may_be_empty) || parameter->name.len == 0) {
                abort();
            }
        }
    }
    arena_clear(&arena);
    return 0;
}
