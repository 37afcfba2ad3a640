/* defaults: what routes inherit, and may override.
 *
 * As if every route said it: header fields and parameters are inherited one by one, by their names.
 */
#include "defaults.h"
#include "config.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* References are to what every request has. */
static const struct reference_scope no_route = { .call_count = 0 };

static void read_timeout(struct settings *settings, uint32_t node, void *target)
{
    setting_duration(settings, node, &((struct defaults *)target)->timeout_ms);
}

static void read_request(struct settings *settings, uint32_t node, void *target)
{
    struct reference_scope scope = no_route;
    request_plan_read(settings, node, &scope, &((struct defaults *)target)->request);
    if (scope.uses_body)
        setting_mistake(settings, node, "{body...} is not known here: the body is never read");
}

static void read_headers(struct settings *settings, uint32_t node, void *target)
{
    struct reference_scope scope = no_route;
    field_plans_read_changes(settings, node, &scope, &((struct defaults *)target)->fields);
    if (scope.uses_body)
        setting_mistake(settings, node, "{body...} is not known here: not every route reads it");
}

static void read_cors(struct settings *settings, uint32_t node, void *target)
{
    ((struct defaults *)target)->cors = cors_plan_read(settings, node);
}

void defaults_read(struct settings *settings, uint32_t node, void *target)
{
    static const struct setting known[] = {
        { "timeout", false, read_timeout },
        { "request", false, read_request },
        { "headers", false, read_headers },
        { "cors", false, read_cors },
    };
    setting_object(settings, node, known, COUNT(known), target);
}

void defaults_apply(const struct defaults *defaults, struct route *route, struct arena *arena)
{
    if (!route->timeout_ms)
        route->timeout_ms = defaults->timeout_ms;
    field_plans_inherit(&route->fields, &defaults->fields, arena);
    field_plans_inherit(&route->request.fields, &defaults->request.fields, arena);
    field_plans_inherit(&route->request.parameters, &defaults->request.parameters, arena);
}
