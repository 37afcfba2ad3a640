/* transfer_part: what the parts of transfer share. For transfer*.c only: they alone see libcurl. */
#ifndef GATEWAY_TRANSFER_PART_H
#define GATEWAY_TRANSFER_PART_H

#include <curl/curl.h>
#include "lib/buf.h"
#include "transfer.h"

struct transfer {
    struct transfer *next; /* in the list of idle or of active ones */
    CURL *easy;
    char *url, *socket_path; /* that `easy` is set to; socket_path may be NULL */
    bool is_plain;           /* its other options are those of a GET without a body */

    /* Of the present exchange. */
    struct call *call; /* NULL while idle */
    bool (*head)(struct call *call);
    long long deadline_us;
    int waiting_fd; /* the client's, while it sends nothing of its body; else -1 */
    struct buf body;
    bool is_connected;
    bool is_final;    /* the status line seen is not of a 1xx reply */
    bool head_given;  /* call->head was called, or there is none to call */
    bool client_gone; /* call->read, head or write said so */
    bool is_unflushed;
    bool is_too_long;
    bool is_malformed; /* the reply breaks HTTP's rules in a way that curl lets pass */
};

/* transfer_handle.c: sets the handle to what is to be asked. */
void transfer_handle_set(
    struct transfer *transfer, const struct call *call, const struct transfer_terms *terms);

/* Is the handle set to this server already? */
bool transfer_handle_is_at(const struct transfer *transfer, const struct address *address);

/* The exchange has ended so; call it before the handle is taken from its multi handle. */
void transfer_handle_ended(struct transfer *transfer, CURLcode result);

/* transfer_flow.c: sets curl's functions for what goes up and comes down. */
void transfer_flow_connect(struct transfer *transfer);

/* The call's deadline, counted from now: something has moved. */
void transfer_flow_moved(struct transfer *transfer);

/* Has the upstream answered already, in a way that makes the rest of the body useless? */
bool transfer_flow_needs_no_body(const struct transfer *transfer);

/* Sets the call's outcome from what curl says of the end. */
void transfer_flow_judge(struct transfer *transfer, CURLcode result);

/* The same for one whose deadline has passed. */
void transfer_flow_judge_late(struct transfer *late);

#endif
