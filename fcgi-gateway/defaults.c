/* defaults: what routes inherit, and may override.
 *
 * As if every route said it: header fields and parameters are inherited one by one, by their names.
 */
#include "defaults.h"
#include "config.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void read_timeout(struct settings *settings, uint32_t node, void *target)
{
    setting_duration(settings, node, &((struct defaults *)target)->timeout_ms);
}

/* References are to what every request has, here and below. */
static void read_request(struct settings *settings, uint32_t node, void *target)
{
    struct defaults *defaults = target;
    struct reference_scope scope = { .call_count = 0 };
    request_plan_read(settings, node, &scope, (struct str){ NULL, 0 }, &defaults->request);
    defaults->request_inputs = scope.inputs;
    if (scope.uses_body)
        setting_mistake(settings, node, "{body...} is not known here: the body is never read");
}

static void read_headers(struct settings *settings, uint32_t node, void *target)
{
    struct defaults *defaults = target;
    struct reference_scope scope = { .call_count = 0 };
    field_plans_read_changes(settings, node, &scope, &defaults->fields);
    defaults->inputs = scope.inputs;
    if (scope.uses_body)
        setting_mistake(settings, node, "{body...} is not known here: not every route reads it");
}

static void read_cors(struct settings *settings, uint32_t node, void *target)
{
    ((struct defaults *)target)->cors = cors_plan_read(settings, node);
}

static void read_cache(struct settings *settings, uint32_t node, void *target)
{
    cache_plan_read(settings, node, &((struct defaults *)target)->cache);
}

static void read_coalesce(struct settings *settings, uint32_t node, void *target)
{
    cache_plan_read_coalesce(settings, node, &((struct defaults *)target)->cache);
}

/* Two fields of one name would make browsers trust neither. */
static void check_cors_fields(
    struct settings *settings, uint32_t node, const struct defaults *defaults)
{
    uint32_t headers = json_member(&settings->json, node, STR("headers"));
    for (unsigned i = 0; defaults->cors && i < defaults->fields.count; i++)
        if (cors_plan_has_field(&defaults->fields.list[i]))
            setting_mistake(settings, headers, "'cors' and 'headers' of the defaults both say '%s'",
                defaults->fields.list[i].name.at);
    const struct field_plan *origin, *credentials;
    if (!defaults->cors &&
        cors_plan_is_refused(&defaults->fields, settings->arena, &origin, &credentials))
        setting_mistake(settings, headers, CORS_PLAN_REFUSED);
}

void defaults_read(struct settings *settings, uint32_t node, void *target)
{
    static const struct setting known[] = {
        { "timeout", false, read_timeout },
        { "request", false, read_request },
        { "headers", false, read_headers },
        { "cors", false, read_cors },
        { "cache", false, read_cache },
        { "coalesce", false, read_coalesce },
    };
    if (setting_object(settings, node, known, COUNT(known), target))
        check_cors_fields(settings, node, target);
}

void defaults_apply(const struct defaults *defaults, struct route *route, struct arena *arena)
{
    if (!route->timeout_ms)
        route->timeout_ms = defaults->timeout_ms;
    cache_plan_inherit(&route->cache, &defaults->cache);
    field_plans_inherit(&route->fields, &defaults->fields, arena);
    field_plans_inherit(&route->request.fields, &defaults->request.fields, arena);
    field_plans_inherit(&route->request.parameters, &defaults->request.parameters, arena);
}
