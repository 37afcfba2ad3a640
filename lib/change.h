/* change: one change to a resource's table, in a transaction of its own. */
#ifndef LIB_CHANGE_H
#define LIB_CHANGE_H

#include "idempotency.h"
#include "rest.h"

struct change {
    struct service_call *call;
    const struct resource *resource;
    int64_t id;         /* of the row that the path names; 0 for a new one */
    struct record said; /* what the body says, valid by itself */
    struct idempotency idempotency;
    int64_t now;            /* seconds since 1970 */
    struct outcome outcome; /* the reply, once it is committed */
};

/* Carries it out and replies. Each of them returns the reply's status. */
int change_insert(struct change *change);
int change_update(struct change *change);
int change_delete(struct change *change);

/* Replies what was replied to the same request before, if it was. Returns the reply's status, or 0
 * where the request is a new one. */
int change_reply_again(struct change *change);

/* 422 with what validate_body says. */
int change_reply_invalid(struct service_call *call, struct buf *fields);

/* 404, in the resource's words. */
int change_reply_not_found(struct service_call *call);

#endif
