/* transfer_flow: what goes up to a server and comes down from it, and what its end means.
 *
 * The functions that libcurl calls in the course of an exchange. None of them waits for the client.
 */
#include <errno.h>
#include <strings.h>
#include "head.h"
#include "lib/log.h"
#include "transfer_part.h"

/* How long a client may send nothing of its body. lighttpd gives up before that (max-read-idle). */
#define CLIENT_SILENCE_MAX_US (60 * 1000000LL)

/* From here on curl sends no more of a body: the reply is an answer to what it got. */
#define STATUS_STOPS_BODY 300

/* The highest status that HTTP has (RFC 9110 section 15): nobody behind us knows what another one
 * means. */
#define STATUS_MAX 599

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
static size_t on_read(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    struct call *call = transfer->call;
    if (transfer_flow_needs_no_body(transfer))
        return 0;
    transfer->waiting_fd = call->body_fd ? call->body_fd(call) : -1;
    if (transfer->waiting_fd >= 0) {
        transfer->deadline_us = log_clock_us() + CLIENT_SILENCE_MAX_US;
        return CURL_READFUNC_PAUSE;
    }
    call->is_body_begun = true;
    ssize_t got = call->read(call, bytes, size * count);
    if (call->write)
        transfer_flow_moved(transfer);
    if (got >= 0)
        return (size_t)got;
    transfer->client_gone = true;
    return CURL_READFUNC_ABORT;
}

static void on_status_line(struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    struct call *call = transfer->call;
    call->status = (int)status;
    call->first_field = call->last_field = NULL;
    transfer->is_final = status >= 200;
}

/* The end of the header section: what streams may begin. */
static bool give_head(struct transfer *transfer)
{
    struct call *call = transfer->call;
    transfer->head_given = true;
    if (call->head && !transfer->head(call))
        transfer->client_gone = true;
    transfer->is_unflushed = call->head && call->flush;
    if (call->head)
        transfer_flow_moved(transfer);
    return !transfer->client_gone;
}

/* Called for every line of a header section, 1xx ones and trailers included. */
static size_t on_header(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    struct str line = { bytes, size * count };
    if (transfer->head_given)
        return line.len; /* a trailer */
    if (line.len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        on_status_line(transfer);
        return transfer->call->status <= STATUS_MAX ? line.len : 0;
    }
    if (!transfer->is_final)
        return line.len;
    switch (head_line(transfer->call, line)) {
    case HEAD_MORE:
        return line.len;
    case HEAD_END:
        return give_head(transfer) ? line.len : 0;
    case HEAD_BAD:
        transfer->is_malformed = true;
    }
    return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    struct call *call = transfer->call;
    size_t len = size * count;
    if (!transfer->head_given) {
        transfer->is_malformed = true; /* such as what follows a 101 that nobody asked for */
        return 0;
    }
    if (call->write) {
        transfer->client_gone = !call->write(call, bytes, len);
        transfer->is_unflushed = call->flush != NULL;
        transfer_flow_moved(transfer);
        return transfer->client_gone ? 0 : len;
    }
    if (transfer->body.len + len > (call->reply_max ? call->reply_max : CALL_REPLY_MAX)) {
        transfer->is_too_long = true;
        return 0;
    }
    buf_add(&transfer->body, bytes, len);
    return len;
}

static int on_connected(void *user, char *to, char *from, int to_port, int from_port)
{
    (void)to, (void)from, (void)to_port, (void)from_port;
    ((struct transfer *)user)->is_connected = true;
    return CURL_PREREQFUNC_OK;
}

void transfer_flow_connect(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}

/* Of curl's results those that come before a connection was made. */
static bool is_unsent(CURLcode result)
{
    return result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_CONNECT ||
           result == CURLE_SSL_CONNECT_ERROR || result == CURLE_PEER_FAILED_VERIFICATION ||
           result == CURLE_OPERATION_TIMEDOUT;
}

static void set_outcome(struct call *call, enum call_outcome outcome, const char *cause)
{
    call->outcome = outcome;
    call->cause = cause;
}

/* Why there is no connection, for callers: without the server's address. */
static const char *no_connection(CURL *easy)
{
    long error = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
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

/* A reply that had begun is broken, one that had not is unreachable. */
void transfer_flow_judge(struct transfer *transfer, CURLcode result)
{
    struct call *call = transfer->call;
    call->is_unsent = is_unsent(result);
    if (transfer->client_gone)
        set_outcome(call, CALL_GONE, "The client went away");
    else if (transfer->is_malformed)
        set_outcome(call, CALL_BROKEN, "The reply is not HTTP");
    else if (call->status > STATUS_MAX)
        set_outcome(call, CALL_BROKEN, "The reply's status is none of HTTP's");
    else if (transfer->is_too_long)
        set_outcome(call, CALL_BROKEN, "The reply is too long");
    else if (result == CURLE_OK && call->status >= 200)
        set_outcome(call, CALL_OK, NULL);
    else if (result == CURLE_COULDNT_RESOLVE_HOST)
        set_outcome(call, CALL_UNREACHABLE, "Host name not found");
    else if (result == CURLE_COULDNT_CONNECT)
        set_outcome(call, CALL_UNREACHABLE, no_connection(transfer->easy));
    else if (result == CURLE_OPERATION_TIMEDOUT)
        set_outcome(call, CALL_UNREACHABLE, "No connection in time");
    else if (result == CURLE_SSL_CONNECT_ERROR || result == CURLE_PEER_FAILED_VERIFICATION)
        set_outcome(call, CALL_UNREACHABLE, "TLS connection failed");
    else if (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_WEIRD_SERVER_REPLY ||
             result == CURLE_OK)
        set_outcome(call, CALL_BROKEN, "The reply is not HTTP");
    else if (transfer->is_final)
        set_outcome(call, CALL_BROKEN, "The reply broke off");
    else
        set_outcome(call, CALL_UNREACHABLE, "Connection closed before a reply");
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
