/* error_plan: what the file says of errors.
 *
 * A body has no references but {error...}: it must be writable for a request that is none, and for
 * one that never met a route.
 */
#include "error_plan.h"
#include "shape.h"
#include "template.h"

enum { BODY = ERROR_STATUSES, KEY_COUNT };

/* The keys of `errors`, in the order of enum error_cause. */
static const char *const keys[KEY_COUNT] = {
    [ERROR_UNREACHABLE] = "unreachable",
    [ERROR_TIMEOUT] = "timeout",
    [ERROR_BROKEN] = "broken",
    [ERROR_REFUSED] = "refused",
    [ERROR_GONE] = "gone",
    [BODY] = "body",
};

const char *error_cause_name(enum error_cause cause)
{
    static const char *const others[] = {
        [ERROR_REQUEST] = "request",
        [ERROR_ROUTE] = "route",
        [ERROR_INTERNAL] = "internal",
    };
    return cause < ERROR_STATUSES ? keys[cause] : others[cause];
}

/* The body for the one error that is told when nothing can be made any more: see reply_crash. */
static struct str crash_body(const struct template *body, struct arena *arena)
{
    struct request request = { .arena = arena };
    struct error_values error = { STR("Internal Server Error"), STR("The gateway made a mistake"),
        500, error_cause_name(ERROR_INTERNAL) };
    struct reference_values values = { .request = &request, .error = &error };
    struct buf out;
    buf_init(&out, arena);
    return template_write(body, &values, &out) ? buf_as_str(&out) : STR("{}");
}

static void read_body(struct settings *settings, uint32_t node, struct error_plan *plan)
{
    struct reference_scope scope = { .has_error = true, .has_only_error = true };
    unsigned mistakes = settings->mistakes->count;
    plan->body = NULL;
    plan->body_shape = (struct str){ NULL, 0 };
    plan->crash_body = (struct str){ NULL, 0 };
    if (settings->json.nodes[node].type == JSON_NULL)
        return; /* a route that wants the usual shape */
    plan->body = template_new(settings, node, &scope);
    plan->body_shape = shape_of(settings, node);
    if (settings->mistakes->count == mistakes)
        plan->crash_body = crash_body(plan->body, settings->arena);
}

void error_plan_read(struct settings *settings, uint32_t node, struct error_plan *plan)
{
    uint32_t nodes[KEY_COUNT];
    if (!setting_members(settings, node, keys, KEY_COUNT, nodes))
        return;
    for (unsigned cause = 0; cause < ERROR_STATUSES; cause++)
        if (nodes[cause] != JSON_NONE)
            setting_int(settings, nodes[cause], 400, 599, &plan->statuses[cause]);
    if (nodes[BODY] != JSON_NONE)
        read_body(settings, nodes[BODY], plan);
}
