/* error_body: writes the gateway's own errors, in the shape that the file says, or as problem
 * details (RFC 9457) for clients that ask for them. */
#ifndef GATEWAY_ERROR_BODY_H
#define GATEWAY_ERROR_BODY_H

#include "error_plan.h"
#include "lib/reply.h"
#include "reference.h"

/* From here on every error of this reply is told as `plan` says, also those that lib/ finds. `plan`
 * must outlive the request. */
void error_body_use(struct reply *reply, const struct error_plan *plan);

/* Fills the reply with an error; error_body_use was called. Returns error->status. */
int error_reply(struct reply *reply, const struct error_values *error);

/* Does an Accept field (may be NULL) name application/problem+json, with a weight above 0
 * and not below the one that it gives application/json? Wildcards do not count: they stand in the
 * fields of clients that know nothing of it. RFC 9110 section 12.5.1. */
bool error_body_accepts_problem(const char *accept);

#endif
