/* request_plan: what the file changes in a request that is passed through. */
#include "request_plan.h"

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

void request_plan_read(struct settings *settings, uint32_t node, struct reference_scope *scope,
    struct request_plan *plan)
{
    static const struct setting known[] = {
        { "headers", false, read_headers },
        { "query", false, read_query },
    };
    struct reading reading = { scope, plan };
    setting_object(settings, node, known, COUNT(known), &reading);
}
