/* transfer_part: what the parts of transfer share. For transfer*.c only. */
#ifndef GATEWAY_TRANSFER_PART_H
#define GATEWAY_TRANSFER_PART_H

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "framing.h"
#include "lib/buf.h"
#include "transfer.h"

struct curl_part;
struct curl_share;
struct kept_connections;

/* How an exchange ended, as far as its way can tell. */
enum transfer_end {
    TRANSFER_WHOLE,         /* the reply is over where it should be */
    TRANSFER_NO_NAME,       /* the host's name leads nowhere */
    TRANSFER_NO_CONNECTION, /* os_error says why */
    TRANSFER_NO_DESCRIPTOR, /* of this process, for a connection */
    TRANSFER_LATE_CONNECTION,
    TRANSFER_NO_TLS,
    TRANSFER_NOT_HTTP,
    TRANSFER_BROKEN /* the connection ended before the reply did, or one of our functions said no */
};

/* An exchange over a socket of our own. */
struct socket_part {
    int fd;
    bool is_kept;        /* it served others before: it may turn out to be closed */
    bool is_connecting;  /* until it can be written to, or, with again_us, must be tried again */
    bool is_cut;         /* of the request's body not all was sent, and will not be */
    bool is_reset;       /* by the other side, as a send has heard */
    bool is_reply_whole; /* the rest of the request's body is still sent */
    int connect_ms;      /* so long the connecting may take; 0: as long as all */
    long long connect_until_us, again_us;
    struct str head;   /* of the request; in the call's arena */
    struct str unsent; /* of the request: what comes next */
    int64_t body_left; /* of the request's body: not read yet */
    char *piece;       /* of it; NULL before that is needed */
    struct buf line;   /* of the reply's head: what came of a line that is not complete */
};

struct transfer {
    struct transfer *next; /* in the list of idle or of active ones */
    struct curl_part
        *curl; /* an easy handle of libcurl with what it is set to; NULL until needed */
    struct socket_part socket;
    bool is_by_curl;

    /* Of the present exchange. */
    struct call *call; /* NULL while idle */
    const struct address *address;
    bool (*head)(struct call *call);
    long long deadline_us;
    struct framing framing; /* of the reply */
    int waiting_fd;         /* the client's, while it sends nothing of its body; else -1 */
    struct buf body;
    bool is_connected;
    bool expects_status; /* the next line is a status line */
    int minor;           /* of the reply: HTTP/1.x */
    bool was_sent;       /* once before, over a connection that ended without a reply */
    bool is_final;       /* the status line seen is not of a 1xx reply */
    bool head_given;     /* call->head was called, or there is none to call */
    size_t head_len;     /* of the reply, so far */
    bool may_be_kept;    /* its connection: the reply does not say otherwise */
    bool client_gone;    /* call->read, head or write said so */
    bool is_unflushed;
    bool is_too_long;
    bool is_malformed; /* the reply breaks HTTP's rules */
    bool is_over;      /* `end` says how */
    enum transfer_end end;
    int os_error;
};

struct transferer {
    struct kept_connections *kept;
    struct curl_share *curl; /* NULL before it is needed */
    int curl_count;          /* of the active ones */
    char *received;          /* RECEIVED_MAX bytes; NULL before they are needed */
    struct pollfd *fds;
    size_t fds_size;
    struct transfer *idle, *active;
    const struct request *request; /* whose client all these exchanges are for, or NULL */
    long long watched_from_us;
    bool is_client_gone;
    int wake[2]; /* a pipe, to be read at its first end */
    atomic_bool is_woken;
};

/* Memory that could be had; else the request ends. */
static inline void *transfer_need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* --- transfer_flow.c: what goes up to a server and comes down from it --- */

/* What is sent with every call besides its own fields: Host, where `host` is not empty, and the
 * time that is left. `add` is called for each field. */
void transfer_flow_fields(const struct call *call, struct str host, int left_ms,
    void (*add)(void *context, struct str name, struct str value), void *context);

enum { FLOW_WAIT = -2, FLOW_GONE = -1 };

/* Bytes of the request's body, 0 at its end or where no more of it is of use, or one of these. */
ssize_t transfer_flow_read(struct transfer *transfer, char *bytes, size_t size);

/* So many more bytes of a reply's head have come. False: they are too many. */
bool transfer_flow_head(struct transfer *transfer, size_t len);

/* A line of a reply's head, with its line end: of interim ones (1xx) first. False: give it up. */
bool transfer_flow_line(struct transfer *transfer, struct str line);

/* A piece of its content. False: give it up. */
bool transfer_flow_body(struct transfer *transfer, const char *bytes, size_t len);

/* The call's deadline, counted from now: something has moved. */
void transfer_flow_moved(struct transfer *transfer);

/* Has the upstream answered already, in a way that makes the rest of the body useless? */
bool transfer_flow_needs_no_body(const struct transfer *transfer);

/* Sets the call's outcome from the end. */
void transfer_flow_judge(struct transfer *transfer);

/* The same for one whose deadline has passed. */
void transfer_flow_judge_late(struct transfer *late);

/* --- transfer_wait.c --- */

/* Until something moves, the client goes, somebody wakes us, or the time has come. Where only
 * replies are waited for, the last three may be noticed some milliseconds later. */
void transfer_wait(struct transferer *self, bool is_for_replies_only, long long until_us);

/* --- transfer_socket.c: over sockets of our own --- */

/* Connects, or takes a kept connection, and sends what can be sent. */
void transfer_socket_start(
    struct transfer *transfer, const struct transfer_terms *terms, struct kept_connections *kept);

/* What it waits for: a descriptor (-1: none) and events as of poll(2). *until_us is no later than
 * when it wants to be looked at. */
struct pollfd transfer_socket_wants(const struct transfer *transfer, long long *until_us);

/* Goes on as far as that is possible without waiting; `bytes` is where to receive. */
void transfer_socket_go_on(struct transfer *transfer, char *bytes, size_t size);

/* The same, but waits some milliseconds where something is to be received: a reply that comes soon
 * costs no poll(2). False where it has not done so: there is something to send, or not so much time
 * until `until_us`. */
bool transfer_socket_receive(
    struct transfer *transfer, long long until_us, char *bytes, size_t size);

/* Whatever state it is in: its connection is kept where that is possible, else closed. */
void transfer_socket_end(struct transfer *transfer, struct kept_connections *kept);

/* --- transfer_curl.c: by libcurl, whatever needs more than a connected socket; it alone sees it
 * --- */

struct curl_share *transfer_curl_new(void);
void transfer_curl_free(struct curl_share *share);

/* Is the transfer's handle set to this server already? */
bool transfer_curl_is_at(const struct transfer *transfer, const struct address *address);

void transfer_curl_start(
    struct transfer *transfer, const struct transfer_terms *terms, struct curl_share *share);

/* All go on; those that have ended say so. */
void transfer_curl_go_on(struct curl_share *share);

/* As poll(2), and also until any of libcurl's own descriptors has something. */
void transfer_curl_poll(struct curl_share *share, struct pollfd *fds, size_t count, int wait_ms);

/* The client's body goes on. */
void transfer_curl_resume(struct transfer *transfer);

void transfer_curl_end(struct transfer *transfer, struct curl_share *share);

/* Frees what it has of libcurl. */
void transfer_curl_clear(struct transfer *transfer);

#endif
