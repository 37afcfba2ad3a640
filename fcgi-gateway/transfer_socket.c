/* transfer_socket: an exchange over a connected socket of our own, by HTTP/1.1 (RFC 9112).
 *
 * For unix sockets and addresses in digits: a request costs a send and a receive, and no more than
 * what it says has to be written and read. Waits nowhere but in transfer_socket_receive.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>
#include <unistd.h>
#include "head.h"
#include "kept.h"
#include "lib/log.h"
#include "retry.h"
#include "transfer_part.h"

/* What is read of a request's body at once. */
#define PIECE_MAX (64 * 1024)

/* How long a receive may wait where nothing else is waited for. */
#define RECEIVE_WAIT_US 10000

/* A unix socket with a full queue is asked again after so long: nothing tells when it has room. */
#define AGAIN_US 5000

static void end(struct transfer *transfer, enum transfer_end how)
{
    transfer->is_over = true;
    transfer->end = how;
}

/* --- the request --- */

static void add_field(void *context, struct str name, struct str value)
{
    struct buf *head = context;
    buf_str(head, name);
    buf_add(head, ": ", 2);
    buf_str(head, value);
    buf_add(head, "\r\n", 2);
}

static struct str write_head(const struct call *call, const struct transfer_terms *terms)
{
    struct str authority = address_authority(terms->address);
    struct buf head;
    buf_init(&head, call->arena);
    buf_text(&head, call->method);
    buf_char(&head, ' ');
    buf_text(&head, call->target);
    buf_text(&head, " HTTP/1.1\r\n");
    transfer_flow_fields(
        call, authority.len ? authority : terms->host, terms->left_ms, add_field, &head);
    if (call->read) {
        buf_text(&head, "Content-Length: ");
        buf_int(&head, call->body_length);
        buf_add(&head, "\r\n", 2);
    }
    buf_add(&head, "\r\n", 2);
    return buf_as_str(&head);
}

/* No more of the body goes up. The connection is of no use for another request then. */
static void cut(struct transfer *transfer)
{
    struct socket_part *part = &transfer->socket;
    if (part->unsent.len == 0 && part->body_left == 0)
        return;
    part->is_cut = true;
    part->unsent.len = 0;
    part->body_left = 0;
    if (transfer->waiting_fd >= 0)
        transfer_flow_moved(transfer);
    transfer->waiting_fd = -1;
}

/* The next piece of the body becomes what is unsent. False where there is none, or not yet. */
static bool read_piece(struct transfer *transfer)
{
    struct socket_part *part = &transfer->socket;
    if (part->body_left == 0)
        return false;
    size_t size = part->body_left < PIECE_MAX ? (size_t)part->body_left : PIECE_MAX;
    if (!part->piece)
        part->piece = arena_alloc(transfer->call->arena, size);
    ssize_t got = transfer_flow_read(transfer, part->piece, size);
    if (got == FLOW_GONE)
        end(transfer, TRANSFER_BROKEN);
    if (got == 0)
        cut(transfer);
    if (got <= 0)
        return false;
    part->body_left -= got;
    part->unsent = (struct str){ part->piece, (size_t)got };
    return true;
}

/* What cannot be sent now is sent when there is room. A connection that takes nothing any more may
 * still have a reply for us, which is read next. One piece of the body at most: the reply may be
 * there already, and make the rest useless. */
static void send_request(struct transfer *transfer)
{
    struct socket_part *part = &transfer->socket;
    bool is_piece_read = false;
    while (part->unsent.len > 0 || (!is_piece_read && (is_piece_read = read_piece(transfer)))) {
        bool is_more_there = part->body_left > 0 && !transfer->call->body_fd;
        int more = is_more_there ? MSG_MORE : 0;
        ssize_t sent =
            send(part->fd, part->unsent.at, part->unsent.len, MSG_NOSIGNAL | MSG_DONTWAIT | more);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
            return;
        if (sent < 0) {
            part->is_reset = errno != EPIPE;
            cut(transfer);
            break;
        }
        part->unsent.at += sent;
        part->unsent.len -= (size_t)sent;
    }
    if (part->is_reply_whole && part->body_left == 0)
        end(transfer, TRANSFER_WHOLE);
}

/* --- the connection --- */

static bool open_socket(struct socket_part *part, int family)
{
    const int on = 1;
    part->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (part->fd < 0)
        return false;
    if (family != AF_UNIX)
        setsockopt(part->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
}

/* From now on whoever does not want to wait says so (MSG_DONTWAIT). */
static void let_wait(int fd)
{
    const struct timeval limit = { .tv_usec = RECEIVE_WAIT_US };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    fcntl(fd, F_SETFL, 0);
}

/* Begins to connect, or looks how far that is; then the request goes out. */
static void connect_on(struct transfer *transfer)
{
    struct socket_part *part = &transfer->socket;
    struct sockaddr_storage to;
    socklen_t len = address_socket(transfer->address, &to);
    int error = 0;
    part->again_us = 0;
    if ((part->fd < 0 && !open_socket(part, to.ss_family)) ||
        connect(part->fd, (struct sockaddr *)&to, len) != 0)
        error = errno;
    part->is_connecting = error == EINPROGRESS || error == EALREADY || error == EAGAIN;
    if (error == EAGAIN)
        part->again_us = log_clock_us() + AGAIN_US;
    if (part->is_connecting)
        return;
    if (error == 0 || error == EISCONN) {
        transfer->is_connected = true;
        let_wait(part->fd);
        send_request(transfer);
        return;
    }
    transfer->os_error = error;
    end(transfer,
        error == EMFILE || error == ENFILE ? TRANSFER_NO_DESCRIPTOR : TRANSFER_NO_CONNECTION);
}

static void begin_request(struct transfer *transfer)
{
    struct socket_part *part = &transfer->socket;
    part->unsent = part->head;
    part->body_left = transfer->call->read ? transfer->call->body_length : 0;
    part->connect_until_us =
        part->connect_ms ? log_clock_us() + part->connect_ms * 1000LL : LLONG_MAX;
    if (part->is_kept)
        send_request(transfer);
    else
        connect_on(transfer);
}

/* What changes something must not arrive twice, and a body that is streamed cannot be sent a second
 * time (RFC 9110 section 9.2.2): such a call has a connection of its own, for itself alone. */
static bool may_use_kept(const struct call *call)
{
    return retry_is_safe(str_of(call->method)) && !call->read;
}

void transfer_socket_start(
    struct transfer *transfer, const struct transfer_terms *terms, struct kept_connections *kept)
{
    struct call *call = transfer->call;
    long long now_us = log_clock_us();
    struct socket_part *part = &transfer->socket;
    *part = (struct socket_part){
        .fd = -1, .connect_ms = terms->connect_ms, .head = write_head(call, terms)
    };
    buf_init(&part->line, call->arena);
    if (may_use_kept(call))
        part->fd = kept_take(kept, transfer->address, now_us);
    part->is_kept = transfer->is_connected = part->fd >= 0;
    begin_request(transfer);
}

/* --- the reply --- */

/* All of it is there. Bytes behind it are an answer to nothing. */
static void finish(struct transfer *transfer, size_t bytes_left)
{
    struct socket_part *part = &transfer->socket;
    if (bytes_left > 0)
        transfer->may_be_kept = false;
    part->is_reply_whole = true;
    if (part->unsent.len == 0 && part->body_left == 0)
        end(transfer, TRANSFER_WHOLE);
}

static void take_line(struct transfer *transfer, struct str line)
{
    if (!transfer_flow_line(transfer, line))
        end(transfer, TRANSFER_BROKEN);
    else if (transfer_flow_needs_no_body(transfer))
        cut(transfer);
}

/* What came of a status line so far: other protocols may not even know lines. */
static bool may_be_status(struct str line)
{
    const struct str start = STR("HTTP/1.");
    return memcmp(line.at, start.at, line.len < start.len ? line.len : start.len) == 0;
}

/* Takes a line off the front of *bytes, or what there is of one. */
static void take_head(struct transfer *transfer, struct str *bytes)
{
    struct socket_part *part = &transfer->socket;
    const char *lf = memchr(bytes->at, '\n', bytes->len);
    size_t len = lf ? (size_t)(lf - bytes->at) + 1 : bytes->len;
    struct str line = { bytes->at, len };
    bytes->at += len;
    bytes->len -= len;
    if (!transfer_flow_head(transfer, len)) {
        end(transfer, TRANSFER_BROKEN);
        return;
    }
    if (!lf || part->line.len > 0) {
        buf_str(&part->line, line);
        line = buf_as_str(&part->line);
    }
    if (transfer->expects_status && !may_be_status(line)) {
        end(transfer, TRANSFER_NOT_HTTP);
        return;
    }
    if (!lf)
        return;
    part->line.len = 0;
    take_line(transfer, line);
}

static void take_body(struct transfer *transfer, struct str *bytes)
{
    struct str piece;
    while (!transfer->is_over) {
        switch (framing_take(&transfer->framing, bytes, &piece)) {
        case FRAMING_PIECE:
            if (!transfer_flow_body(transfer, piece.at, piece.len))
                end(transfer, TRANSFER_BROKEN);
            break;
        case FRAMING_MORE:
            return;
        case FRAMING_END:
            finish(transfer, bytes->len);
            return;
        case FRAMING_BAD:
            transfer->is_malformed = true;
            end(transfer, TRANSFER_BROKEN);
        }
    }
}

static void take(struct transfer *transfer, const char *bytes, size_t len)
{
    struct str rest = { bytes, len };
    while (rest.len > 0 && !transfer->is_over && !transfer->head_given)
        take_head(transfer, &rest);
    if (transfer->head_given && !transfer->is_over)
        take_body(transfer, &rest);
}

/* The connection has ended, in good order or not. One that was kept may have been closed before our
 * request arrived: then it is sent over a new one, once. */
static void lose(struct transfer *transfer, bool is_in_order)
{
    struct socket_part *part = &transfer->socket;
    if (part->is_kept && transfer->head_len == 0) {
        close(part->fd);
        part->fd = -1;
        part->is_kept = part->is_cut = part->is_reset = transfer->is_connected = false;
        transfer->was_sent = true;
        begin_request(transfer);
    } else if (is_in_order && !part->is_reset && transfer->head_given &&
               framing_is_ended_by_close(&transfer->framing)) {
        finish(transfer, 0);
    } else {
        end(transfer, TRANSFER_BROKEN);
    }
}

/* `flags` are of the first recv(2). */
static void receive(struct transfer *transfer, char *bytes, size_t size, int flags)
{
    struct socket_part *part = &transfer->socket;
    ssize_t got = 0;
    do {
        got = recv(part->fd, bytes, size, flags);
        flags = MSG_DONTWAIT;
        if (got > 0)
            take(transfer, bytes, (size_t)got);
    } while (got < 0 && errno == EINTR);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        lose(transfer, got == 0);
}

/* --- its course --- */

struct pollfd transfer_socket_wants(const struct transfer *transfer, long long *until_us)
{
    const struct socket_part *part = &transfer->socket;
    struct pollfd wants = { .fd = part->fd };
    if (part->is_connecting) {
        if (part->connect_until_us < *until_us)
            *until_us = part->connect_until_us;
        if (part->again_us && part->again_us < *until_us)
            *until_us = part->again_us;
        wants.events = POLLOUT;
        wants.fd = part->again_us ? -1 : part->fd;
        return wants;
    }
    bool has_more = part->unsent.len > 0 || (part->body_left > 0 && transfer->waiting_fd < 0);
    wants.events = (short)((part->is_reply_whole ? 0 : POLLIN) | (has_more ? POLLOUT : 0));
    return wants;
}

void transfer_socket_go_on(struct transfer *transfer, char *bytes, size_t size)
{
    struct socket_part *part = &transfer->socket;
    if (part->is_connecting) {
        if (log_clock_us() >= part->connect_until_us)
            end(transfer, TRANSFER_LATE_CONNECTION);
        else
            connect_on(transfer);
        return;
    }
    if (!part->is_reply_whole) {
        receive(transfer, bytes, size, MSG_DONTWAIT);
    } else if (transfer->waiting_fd >=
               0) { /* nothing was waited for here: the connection is gone */
        cut(transfer);
        end(transfer, TRANSFER_WHOLE);
    }
    if (!transfer->is_over && !part->is_connecting && transfer->waiting_fd < 0)
        send_request(transfer);
}

bool transfer_socket_receive(
    struct transfer *transfer, long long until_us, char *bytes, size_t size)
{
    const struct socket_part *part = &transfer->socket;
    if (part->is_connecting || part->is_reply_whole || part->unsent.len > 0 ||
        part->body_left > 0 || until_us - log_clock_us() < RECEIVE_WAIT_US)
        return false;
    receive(transfer, bytes, size, 0);
    return true;
}

void transfer_socket_end(struct transfer *transfer, struct kept_connections *kept)
{
    struct socket_part *part = &transfer->socket;
    bool is_fit = transfer->is_over && transfer->end == TRANSFER_WHOLE && transfer->may_be_kept &&
                  !part->is_cut && may_use_kept(transfer->call);
    if (is_fit)
        kept_put(kept, transfer->address, part->fd, log_clock_us());
    else if (part->fd >= 0)
        close(part->fd);
    part->fd = -1;
}
