/* openapi: the description of the public API, made from the routes (OpenAPI 3.1). */
#ifndef GATEWAY_OPENAPI_H
#define GATEWAY_OPENAPI_H

#include "config.h"
#include "lib/reply.h"
#include "lib/request.h"

/* The document as the file's routes make it, and its entity tag; once, when the file is read. In
 * the config's arena. */
struct openapi openapi_new(const struct config *config);

/* builtin:openapi: the document, or 304 to a client that has it (RFC 9110 section 13). */
int openapi(struct request *request, struct reply *reply, const struct config *config);

#endif
