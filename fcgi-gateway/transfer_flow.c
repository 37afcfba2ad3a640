/* transfer_flow: what goes up to a server and comes down from it, and what its end means.
 *
 * What happens in the course of an exchange, whatever the bytes travel by. For what a client sends
 * nothing here waits; what it gets, it is given by the call's own functions.
 */
#include <errno.h>
#include "head.h"
#include "lib/log.h"
#include "transfer_part.h"

/* How long a client may send nothing of its body. lighttpd gives up before that (max-read-idle). */
#define CLIENT_SILENCE_MAX_US (60 * 1000000LL)

/* From here on no more of a body is sent: the reply is an answer to what the service got. */
#define STATUS_STOPS_BODY 300

/* The highest status that HTTP has (RFC 9110 section 15): nobody behind us knows what another one
 * means. */
#define STATUS_MAX 599

/* Of a reply's head, interim ones included. lighttpd passes 64 KiB on, and says nothing but 502 of
 * more: what we add to the head must find room. */
#define HEAD_MAX (60 * 1024)

#define SWITCHING_PROTOCOLS 101 /* nobody asked for it */
#define NO_CONTENT 204

/* Says a server how many milliseconds are left for its reply. */
#define TIMEOUT_FIELD "X-Request-Timeout-Ms"

void transfer_flow_fields(const struct call *call, struct str host, int left_ms,
    void (*add)(void *context, struct str name, struct str value), void *context)
{
    struct buf left;
    if (host.len > 0)
        add(context, STR("Host"), host);
    buf_init(&left, call->arena);
    buf_int(&left, left_ms > 0 ? left_ms : 1);
    add(context, STR(TIMEOUT_FIELD), buf_as_str(&left));
    for (const struct call_field *field = call->fields; field; field = field->next)
        if (!str_is_nocase(field->name, TIMEOUT_FIELD)) /* of the client: we know better */
            add(context, field->name, field->value);
}

void transfer_flow_moved(struct transfer *transfer)
{
    const struct call *call = transfer->call;
    transfer->deadline_us = log_clock_us() + call->timeout_ms * 1000LL;
    if (call->deadline_us && call->deadline_us < transfer->deadline_us)
        transfer->deadline_us = call->deadline_us;
}

bool transfer_flow_needs_no_body(const struct transfer *transfer)
{
    return transfer->head_given && transfer->call->status >= STATUS_STOPS_BODY;
}

/* Never waits for the client: the upstream may have something to say meanwhile. */
ssize_t transfer_flow_read(struct transfer *transfer, char *bytes, size_t size)
{
    struct call *call = transfer->call;
    if (transfer_flow_needs_no_body(transfer))
        return 0;
    transfer->waiting_fd = call->body_fd ? call->body_fd(call) : -1;
    if (transfer->waiting_fd >= 0) {
        transfer->deadline_us = log_clock_us() + CLIENT_SILENCE_MAX_US;
        return FLOW_WAIT;
    }
    call->is_body_begun = true;
    ssize_t got = call->read(call, bytes, size);
    if (call->write)
        transfer_flow_moved(transfer);
    if (got >= 0)
        return got;
    transfer->client_gone = true;
    return FLOW_GONE;
}

bool transfer_flow_head(struct transfer *transfer, size_t len)
{
    transfer->head_len += len;
    transfer->is_too_long = transfer->head_len > HEAD_MAX;
    return !transfer->is_too_long;
}

/* A reply begins, perhaps one that another one will follow (1xx). */
static bool take_status(struct transfer *transfer, struct str line)
{
    struct call *call = transfer->call;
    int status;
    transfer->expects_status = false;
    if (!head_status(line, &status, &transfer->minor) || status == SWITCHING_PROTOCOLS) {
        transfer->is_malformed = true;
        return false;
    }
    call->status = status;
    call->first_field = call->last_field = NULL;
    transfer->is_final = status >= 200;
    return status <= STATUS_MAX;
}

/* Is it certain where the reply ends, also for those who may have seen it before us (RFC 9112
 * sections 6.1, 6.3, 9.3)? */
static bool may_be_kept(const struct transfer *transfer)
{
    const struct call *call = transfer->call;
    struct str length = call_field(call, "Content-Length");
    bool is_coded = call_field(call, "Transfer-Encoding").at;
    if (transfer->framing.kind == FRAMING_CLOSE || head_is_connection_option(call, STR("close")) ||
        (is_coded && length.at))
        return false;
    if (transfer->minor == 0 && (is_coded || !head_is_connection_option(call, STR("keep-alive"))))
        return false;
    return call->status != NO_CONTENT || (!is_coded && (!length.at || str_is(length, "0")));
}

/* The end of the header section: what streams may begin. */
static bool give_head(struct transfer *transfer)
{
    struct call *call = transfer->call;
    transfer->head_given = true;
    transfer->may_be_kept = may_be_kept(transfer);
    if (call->head && !transfer->head(call))
        transfer->client_gone = true;
    transfer->is_unflushed = call->head && call->flush;
    if (call->head)
        transfer_flow_moved(transfer);
    return !transfer->client_gone;
}

bool transfer_flow_line(struct transfer *transfer, struct str line)
{
    if (transfer->expects_status)
        return take_status(transfer, line);
    if (!transfer->is_final) { /* behind its end comes another one */
        transfer->expects_status = str_is(line, "\r\n") || str_is(line, "\n");
        return true;
    }
    switch (head_line(transfer->call, line)) {
    case HEAD_MORE:
        return true;
    case HEAD_END:
        if (framing_begin(&transfer->framing, transfer->call))
            return give_head(transfer);
        break;
    case HEAD_BAD:
        break;
    }
    transfer->is_malformed = true;
    return false;
}

bool transfer_flow_body(struct transfer *transfer, const char *bytes, size_t len)
{
    struct call *call = transfer->call;
    if (call->write) {
        transfer->client_gone = !call->write(call, bytes, len);
        transfer->is_unflushed = call->flush != NULL;
        transfer_flow_moved(transfer);
        return !transfer->client_gone;
    }
    if (transfer->body.len + len > (call->reply_max ? call->reply_max : CALL_REPLY_MAX)) {
        transfer->is_too_long = true;
        return false;
    }
    buf_add(&transfer->body, bytes, len);
    return true;
}

static void set_outcome(struct call *call, enum call_outcome outcome, const char *cause)
{
    call->outcome = outcome;
    call->cause = cause;
}

/* Why there is no connection, for callers: without the server's address. */
static const char *no_connection(int error)
{
    switch (error) {
    case ENOENT:
        return "Socket not found";
    case EACCES:
        return "Socket not accessible";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "Host not reachable";
    case ETIMEDOUT:
        return "No connection in time";
    default:
        return "Connection refused";
    }
}

/* From the way's end alone: nothing else is wrong with the exchange. */
static void judge_end(const struct transfer *transfer)
{
    struct call *call = transfer->call;
    /* To libcurl a head that broke off is a whole one. */
    bool has_broken_off = transfer->end == TRANSFER_WHOLE && !transfer->head_given;
    switch (has_broken_off ? TRANSFER_BROKEN : transfer->end) {
    case TRANSFER_WHOLE:
        set_outcome(call, CALL_OK, NULL);
        break;
    case TRANSFER_NO_NAME:
        set_outcome(call, CALL_UNREACHABLE, "Host name not found");
        break;
    case TRANSFER_NO_CONNECTION:
        set_outcome(call, CALL_UNREACHABLE, no_connection(transfer->os_error));
        break;
    case TRANSFER_NO_DESCRIPTOR:
        set_outcome(call, CALL_REFUSED, "No descriptor is free for a connection");
        call->retry_after_s = 1;
        break;
    case TRANSFER_LATE_CONNECTION:
        set_outcome(call, CALL_UNREACHABLE, "No connection in time");
        break;
    case TRANSFER_NO_TLS:
        set_outcome(call, CALL_UNREACHABLE, "TLS connection failed");
        break;
    case TRANSFER_NOT_HTTP:
        set_outcome(call, CALL_BROKEN, "The reply is not HTTP");
        break;
    case TRANSFER_BROKEN:
        if (transfer->is_final)
            set_outcome(call, CALL_BROKEN, "The reply broke off");
        else
            set_outcome(call, CALL_UNREACHABLE, "Connection closed before a reply");
    }
}

/* A reply that had begun is broken, one that had not is unreachable. */
void transfer_flow_judge(struct transfer *transfer)
{
    struct call *call = transfer->call;
    call->is_unsent =
        transfer->end != TRANSFER_WHOLE && transfer->end < TRANSFER_NOT_HTTP && !transfer->was_sent;
    if (transfer->client_gone)
        set_outcome(call, CALL_GONE, "The client went away");
    else if (transfer->is_malformed)
        set_outcome(call, CALL_BROKEN, "The reply is not HTTP");
    else if (call->status > STATUS_MAX)
        set_outcome(call, CALL_BROKEN, "The reply's status is none of HTTP's");
    else if (transfer->is_too_long)
        set_outcome(call, CALL_BROKEN,
            transfer->head_given ? "The reply is too long" : "The head of the reply is too long");
    else
        judge_end(transfer);
}

void transfer_flow_judge_late(struct transfer *late)
{
    struct call *call = late->call;
    if (late->waiting_fd >= 0) {
        set_outcome(call, CALL_GONE, "The client sent nothing of its body");
        return;
    }
    set_outcome(call, CALL_TIMEOUT, NULL);
    call->is_past_deadline = late->deadline_us == call->deadline_us;
}
