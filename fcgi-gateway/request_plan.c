/* request_plan: what the file changes in a request that is passed through. */
#include "request_plan.h"
#include "query.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct reading {
    struct reference_scope *scope;
    struct request_plan *plan;
};

static void read_headers(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    field_plans_read_changes(settings, node, reading->scope, &reading->plan->fields);
}

static void read_query(struct settings *settings, uint32_t node, void *target)
{
    struct reading *reading = target;
    field_plans_read_parameters(settings, node, reading->scope, &reading->plan->parameters);
}

/* Of two values of one parameter a service would take the first or the last, nobody knows which. */
static void check_twice(
    struct settings *settings, uint32_t query, struct str own, const struct field_plans *parameters)
{
    for (unsigned i = 0; i < parameters->count; i++) {
        struct str name = parameters->list[i].name;
        if (query_has(own, name, settings->arena)) /* the name stands in front of its value */
            setting_mistake(settings, json_member(&settings->json, query, name) - 1,
                "the path in 'pass' says '%.*s' already", (int)name.len, name.at);
    }
}

void request_plan_read(struct settings *settings, uint32_t node, struct reference_scope *scope,
    struct str own, struct request_plan *plan)
{
    static const struct setting known[] = {
        { "headers", false, read_headers },
        { "query", false, read_query },
    };
    struct reading reading = { scope, plan };
    setting_object(settings, node, known, COUNT(known), &reading);
    check_twice(settings, json_member(&settings->json, node, STR("query")), own, &plan->parameters);
}
