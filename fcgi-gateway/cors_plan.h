/* cors_plan: which pages of other origins may read a route's replies, as the file says it. */
#ifndef GATEWAY_CORS_PLAN_H
#define GATEWAY_CORS_PLAN_H

#include "field_plan.h"
#include "setting.h"

struct cors_plan {
    bool is_for_all;     /* origins: ["*"] */
    struct str *origins; /* else: as browsers write them, or with a star for names below */
    unsigned origin_count;
    bool has_credentials;
    struct str headers; /* "Content-Type, X-A": what requests may have; at NULL: nothing said */
    struct str expose;  /* the same of what pages may read of replies */
    struct str max_age; /* seconds that a browser keeps the answer to a preflight, "600" */
};

/* Reads the `cors` at `node`; mistakes are noted. NULL where that is null, which takes away what
 * would be inherited. */
const struct cors_plan *cors_plan_read(struct settings *settings, uint32_t node);

/* Do both say the same of preflights? */
bool cors_plan_is_same(const struct cors_plan *a, const struct cors_plan *b);

/* Does it set a field that CORS is made of? */
bool cors_plan_has_field(const struct field_plan *field);

#define CORS_PLAN_REFUSED                                                                          \
    "browsers refuse 'Access-Control-Allow-Credentials' beside the origin '*': say 'cors' "        \
    "instead, with the origins that are trusted"

/* Do the fields, where there is no `cors`, give every origin what nobody but a trusted one may
 * have? Then *origin and *credentials are those that do: browsers refuse such a reply. */
bool cors_plan_is_refused(const struct field_plans *fields, struct arena *arena,
    const struct field_plan **origin, const struct field_plan **credentials);

#endif
