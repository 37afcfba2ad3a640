/* forward: which header fields cross the gateway, and those that it adds (RFC 9110 section 7.6). */
#ifndef GATEWAY_FORWARD_H
#define GATEWAY_FORWARD_H

#include "lib/reply.h"
#include "lib/request.h"
#include "call.h"

/* The request's end-to-end fields for a passed-through call, with X-Forwarded-For, -Proto, -Host,
 * X-Request-ID and Via; `gateway` is the name that Via gives. In the request's arena. */
const struct call_field *forward_request(const struct request *request, struct str gateway);

/* What a call of our own carries that is made for the gateway's sake: X-Request-ID. */
const struct call_field *forward_own(const struct request *request);

/* What every call of a composed route carries: X-Forwarded-For, -Proto, -Host and X-Request-ID, and
 * the client's trace (W3C Trace Context). In the request's arena. */
const struct call_field *forward_composed(const struct request *request);

/* Fields of a reply that do not cross in every case. */
enum forward_fields {
    FORWARD_LENGTH = 1, /* Content-Length */
    FORWARD_CORS = 2,   /* Access-Control-...: not where the route's own are there already */
};

/* Adds the upstream reply's end-to-end fields to ours, in their order; of those in enum
 * forward_fields only what `also` has. */
void forward_reply(const struct call *call, struct reply *reply, unsigned also);

#endif
