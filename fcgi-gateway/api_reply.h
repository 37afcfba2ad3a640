/* api_reply: what a route may answer, as OpenAPI's responses. */
#ifndef GATEWAY_API_REPLY_H
#define GATEWAY_API_REPLY_H

#include "config.h"

/* Appends the member "responses" of an operation. */
void api_replies_write(
    struct buf *out, const struct config *config, const struct route *route, unsigned method);

/* Appends the object "components": the shapes of errors that the responses refer to. */
void api_components_write(struct buf *out, const struct config *config);

#endif
