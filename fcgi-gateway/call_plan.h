/* call_plan: one call of a composed route, as the file says it. */
#ifndef GATEWAY_CALL_PLAN_H
#define GATEWAY_CALL_PLAN_H

#include "field_plan.h"
#include "upstream.h"

struct config;

/* How many calls of one `each` are under way at once: enough to hide a service's latency, and never
 * so many that one request takes a service from all others. */
#define EACH_AT_ONCE 8
#define EACH_AT_ONCE_MAX 64

struct call_plan {
    struct str name;
    const struct upstream *upstream;
    const char *method;
    const struct template_text *target;
    struct field_plans fields;
    const struct template *body;      /* NULL: none */
    const struct reference *when;     /* the call is made only if this is true; NULL: always */
    int timeout_ms;                   /* 0: the upstream's */
    const struct template *otherwise; /* `else`: the reply where the call gives none; or NULL */
    const struct reference *each;     /* the array whose elements have a call each; or NULL */
    int at_once;                      /* of `each`: calls under way */
    const struct template *result;    /* of `each`: one element's; NULL: its reply as it is */
    uint32_t after;                   /* a bit for every call whose reply this one needs */
    uint32_t otherwise_after;         /* of these, those that `else` refers to */
};

/* Reads "upstream METHOD /path" or an object with that as its `call`; call->name is there already,
 * and the scope knows the names of all calls. Mistakes are noted. */
void call_plan_read(struct settings *settings, uint32_t node, const struct config *config,
    struct reference_scope *scope, struct call_plan *call);

/* The upstream of that name; NULL, with a mistake noted, where there is none. */
const struct upstream *call_plan_upstream(
    struct settings *settings, uint32_t node, const struct config *config, struct str name);

#endif
