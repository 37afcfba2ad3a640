/* forward: which header fields cross the gateway, and those that it adds (RFC 9110 section 7.6). */
#ifndef GATEWAY_FORWARD_H
#define GATEWAY_FORWARD_H

#include "lib/reply.h"
#include "lib/request.h"
#include "upstream.h"

/* The request's end-to-end fields for a passed-through call, with X-Forwarded-For, -Proto, -Host,
 * X-Request-ID and Via; `gateway` is the name that Via gives. In the request's arena. */
const struct call_field *forward_request(const struct request *request, struct str gateway);

/* Only what a call of our own carries: X-Request-ID, and the type of a body that we wrote. */
struct call_field *forward_own(const struct request *request, bool has_json_body);

/* Adds the upstream reply's end-to-end fields to ours, in their order. Content-Length comes along
 * only if `with_length`. */
void forward_reply(const struct call *call, struct reply *reply, bool with_length);

#endif
