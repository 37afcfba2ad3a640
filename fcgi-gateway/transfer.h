/* transfer: one exchange of a request and a reply with one server.
 *
 * Every place for a request has a transferer of its own: exchanges at the same time and connections
 * kept alive, without a lock. */
#ifndef GATEWAY_TRANSFER_H
#define GATEWAY_TRANSFER_H

#include "address.h"
#include "call.h"
#include "lib/request.h"

struct transferer;

/* NULL where it cannot be had. */
struct transferer *transferer_new(void);
void transferer_free(struct transferer *self);

/* All exchanges from now on are for this request (NULL: for none). */
void transferer_watch(struct transferer *self, const struct request *request);

/* Has its client gone, as far as transfer_next has seen? */
bool transferer_is_client_gone(const struct transferer *self);

/* From any thread: transfer_next, or the next one, returns at once. */
void transferer_wake(struct transferer *self);

struct transfer_terms {
    const struct address *address;
    struct str host;    /* for a unix socket, which has none */
    long long first_us; /* of log_clock_us: until then all of it must be over, or where the reply is
                         * streamed, its head be there or some of the request's body have gone up */
    int left_ms;        /* until first_us: the server is told */
    int connect_ms;     /* so long the connecting may take; 0: as long as all */

    /* In place of the call's own `head`, where it has one. */
    bool (*head)(struct call *call);
};

/* Begins to exchange what `call` asks; it makes progress inside transfer_next. What came back
 * before is forgotten. */
void transfer_start(struct transferer *self, struct call *call, const struct transfer_terms *terms);

/* Waits until an exchange has ended, and returns its call: what came back is filled in, but for
 * took_us. NULL where before that `until_us` came, the client went away or somebody woke us; where
 * `until_us` is LLONG_MAX that may be noticed some milliseconds later. */
struct call *transfer_next(struct transferer *self, long long until_us);

/* Ends the exchange of this call, if there is one, without a result. */
void transfer_cancel(struct transferer *self, const struct call *call);

#endif
