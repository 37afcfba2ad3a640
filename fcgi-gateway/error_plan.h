/* error_plan: what the file says of errors: a status for each cause, and what their bodies look
 * like. */
#ifndef GATEWAY_ERROR_PLAN_H
#define GATEWAY_ERROR_PLAN_H

#include "setting.h"

struct template;

enum error_cause {
    ERROR_UNREACHABLE, /* these are about a call, and the file says their statuses */
    ERROR_TIMEOUT,
    ERROR_BROKEN,
    ERROR_REFUSED, /* the gateway itself did not make the call, to protect the service */
    ERROR_GONE,    /* the client went away: a status for the log */
    ERROR_REQUEST, /* the client is to blame; from here on the statuses are HTTP's */
    ERROR_ROUTE,   /* nothing answers this path or method */
    ERROR_INTERNAL,
    ERROR_CAUSES,
};

#define ERROR_STATUSES (ERROR_GONE + 1) /* causes with a status of the file's */

struct error_plan {
    int statuses[ERROR_STATUSES];
    const struct template *body; /* NULL: {"error":title,"message":message} */
    struct str body_shape;       /* its JSON Schema, for the API's description */
    struct str crash_body;       /* the body for a handler that crashed, or an empty str */
};

/* What holds where the file says nothing. */
#define ERROR_PLAN_DEFAULT                                                                         \
    (struct error_plan)                                                                            \
    {                                                                                              \
        .statuses = { 502, 504, 502, 503, 499 }                                                    \
    }

/* Reads the `errors` at `node` over what *plan has already; mistakes are noted. */
void error_plan_read(struct settings *settings, uint32_t node, struct error_plan *plan);

/* "unreachable" */
const char *error_cause_name(enum error_cause cause);

#endif
