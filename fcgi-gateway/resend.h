/* resend: answers a request by a stored reply. */
#ifndef GATEWAY_RESEND_H
#define GATEWAY_RESEND_H

#include "lib/reply.h"
#include "lib/request.h"
#include "stored.h"

/* The words of a Cache-Status field (RFC 9211), behind the gateway's name. */
struct str resend_hit(const struct request *request, const struct stored *stored, long long now_us);

/* Fills the reply with the stored one and, if there are words for it, Cache-Status; with Age where
 * `has_age`. Takes over one use of `stored`. Returns the status: 304 where the client has the same
 * already. */
int resend(struct reply *reply, struct stored *stored, bool has_age, struct str gateway,
    struct str cache_status);

/* Is what these fields of a 200 describe what the client has already (RFC 9110 section 13.2.2)? */
bool resend_is_known(const struct request *request, struct str fields);

/* Appends the fields of a 304: without those that describe a body. */
void resend_copy_for_304(struct buf *out, struct str fields);

void resend_add_cache_status(struct buf *fields, struct str gateway, struct str words);

#endif
