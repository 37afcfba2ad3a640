/* lack: what a request lacks for the calls of its route.
 *
 * What is wrong with a request must not show itself when half of what it asks for is done: a first
 * call may have changed something when a second one, later, cannot be made.
 */
#include "lack.h"
#include "each.h"

/* Is it known before any call that this one is to be made, if all goes well, and must go well? */
static bool is_certain(const struct call_plan *plan, const struct reference_values *values)
{
    if (plan->otherwise)
        return false;
    if (!plan->when || plan->when->root == REFERENCE_EACH)
        return true;
    return reference_is_clients(plan->when) && reference_is_true(plan->when, values);
}

static const char *find_for_call(const struct call_plan *plan, const struct ask_terms *terms,
    const struct reference_values *values)
{
    if (plan->each && plan->each->root == REFERENCE_BODY) {
        const struct call *lacking = each_lack(plan, terms, values);
        return lacking ? lacking->cause : NULL;
    }
    if (plan->each)
        return NULL; /* perhaps there is no element, or none is wanted */
    const struct reference *missing = template_text_lack(plan->target, values);
    return missing ? reference_lack(missing, values, (struct str){ NULL, 0 }) : NULL;
}

const char *lack_find(
    const struct route *route, const struct ask_terms *terms, const struct reference_values *values)
{
    const char *lack = NULL;
    for (unsigned i = 0; i < route->call_count && !lack; i++)
        if (is_certain(&route->calls[i], values))
            lack = find_for_call(&route->calls[i], terms, values);
    return lack;
}
