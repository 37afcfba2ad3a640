/* fastcgi: one FastCGI connection after the other (FastCGI 1.0): its reply, its client, its end.
 *
 * Each wait is one of loop_poll's, so that a thread of many requests goes on with the others. */
#include "fastcgi_part.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "loop.h"
#include "variables.h"
#include "watcher.h"

/* How long a web server may take to close its side after our end. */
#define LINGER_MS 2000

/* How long it may take to read the end of a broken reply, and how often that is looked at. */
#define READ_WAIT_MS 1000
#define READ_AGAIN_MS 1

bool fastcgi_wait(int fd, short events, int wait_ms)
{
    struct pollfd waited = { .fd = fd, .events = events };
    return loop_poll(&waited, 1, wait_ms) != 0;
}

int fastcgi_flags(const struct fastcgi *fastcgi)
{
    return loop_is_here() || fastcgi->wait_ms >= 0 ? MSG_DONTWAIT : 0;
}

/* Sends all of it. */
static bool send_parts(struct fastcgi *fastcgi, struct iovec *part, size_t count)
{
    struct iovec *end = part + count;
    while (part < end && !fastcgi->is_failed) {
        struct msghdr message = { .msg_iov = part, .msg_iovlen = (size_t)(end - part) };
        ssize_t wrote = sendmsg(fastcgi->fd, &message, MSG_NOSIGNAL | fastcgi_flags(fastcgi));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            fastcgi->is_failed =
                errno != EAGAIN || !fastcgi_wait(fastcgi->fd, POLLOUT, fastcgi->wait_ms);
            continue;
        }
        for (; part < end && (size_t)wrote >= part->iov_len; part++)
            wrote -= (ssize_t)part->iov_len;
        if (part < end) {
            part->iov_base = (char *)part->iov_base + wrote;
            part->iov_len -= (size_t)wrote;
        }
    }
    return !fastcgi->is_failed;
}

bool fastcgi_send(struct fastcgi *fastcgi, const char *bytes, const char *end)
{
    struct iovec part = { (char *)bytes, (size_t)(end - bytes) };
    return send_parts(fastcgi, &part, 1);
}

/* --- the reply --- */

/* What was kept, and `len` bytes more, as one record. */
static bool send_output(struct fastcgi *fastcgi, const char *bytes, size_t len)
{
    size_t kept = fastcgi->kept_len;
    struct iovec parts[] = { { fastcgi->kept, RECORD_HEAD_SIZE + kept }, { (char *)bytes, len } };
    fastcgi->kept_len = 0;
    record_put_head(fastcgi->kept, RECORD_STDOUT, fastcgi->id, kept + len);
    return send_parts(fastcgi, parts, len > 0 ? 2 : 1);
}

static bool write_reply(struct connection *connection, const char *bytes, size_t len)
{
    struct fastcgi *fastcgi = (struct fastcgi *)connection;
    while (len > FASTCGI_KEPT_MAX - fastcgi->kept_len) {
        size_t part = RECORD_CONTENT_MAX - fastcgi->kept_len;
        part = part < len ? part : len;
        if (!send_output(fastcgi, bytes, part))
            return false;
        bytes += part;
        len -= part;
    }
    if (len > 0)
        memcpy(fastcgi->kept + RECORD_HEAD_SIZE + fastcgi->kept_len, bytes, len);
    fastcgi->kept_len += len;
    return !fastcgi->is_failed;
}

static bool flush_reply(struct connection *connection)
{
    struct fastcgi *fastcgi = (struct fastcgi *)connection;
    return fastcgi->kept_len == 0 ? !fastcgi->is_failed : send_output(fastcgi, NULL, 0);
}

static bool is_ready(struct connection *connection, int wait_ms)
{
    return fastcgi_wait(((struct fastcgi *)connection)->fd, POLLOUT, wait_ms);
}

/* --- the client --- */

/* The web server says that the client has gone by closing the connection, or its side of it.
 * Records that nobody has read yet, if only the end of the body, stand before that and make the
 * socket readable all the time; EPOLLRDHUP comes without reading them, but not every poll that a
 * caller has knows it. So it is asked of an epoll instance, which is itself a descriptor to wait
 * for. The kernel takes a socket out of it only when nobody has a descriptor of that any more, and
 * the keeper or another thread (listener.c) may have one for a moment longer: unwatch does it. */
static int gone_fd(struct connection *connection)
{
    struct fastcgi *fastcgi = (struct fastcgi *)connection;
    struct epoll_event end = { .events = EPOLLRDHUP };

    if (fastcgi->gone_fd < 0)
        fastcgi->gone_fd = epoll_create1(EPOLL_CLOEXEC);
    if (fastcgi->gone_fd < 0)
        return -1;
    if (!fastcgi->is_watched)
        fastcgi->is_watched = epoll_ctl(fastcgi->gone_fd, EPOLL_CTL_ADD, fastcgi->fd, &end) == 0;
    return fastcgi->is_watched ? fastcgi->gone_fd : -1;
}

/* Only where the operator says that the web server needs it (see lighttpd/gateway.conf). lighttpd
 * does watch clients that speak HTTP/2 or TLS. */
static bool may_be_unwatched(char **variables)
{
    const char *protocol = variables_find(variables, NULL, "SERVER_PROTOCOL");
    return getenv("ASK_KERNEL_FOR_CLIENTS") && protocol && strncmp(protocol, "HTTP/1", 6) == 0 &&
           !variables_find(variables, NULL, "HTTPS");
}

/* The watcher shuts our side of the connection down, which gone_fd tells like the web server's end.
 */
static void watch(struct connection *connection)
{
    struct fastcgi *fastcgi = (struct fastcgi *)connection;
    char **variables = fastcgi->variables;
    struct peer peer;

    if (may_be_unwatched(variables) &&
        peer_name(&peer, variables_find(variables, NULL, "SERVER_ADDR"),
            variables_find(variables, NULL, "SERVER_PORT"),
            variables_find(variables, NULL, "REMOTE_ADDR"),
            variables_find(variables, NULL, "REMOTE_PORT")))
        fastcgi->seat = watcher_add(fastcgi->watcher, &peer, fastcgi->fd);
}

static void unwatch(struct fastcgi *fastcgi)
{
    watcher_remove(fastcgi->watcher, fastcgi->seat);
    fastcgi->seat = WATCHER_NO_SEAT;
    if (fastcgi->is_watched)
        epoll_ctl(fastcgi->gone_fd, EPOLL_CTL_DEL, fastcgi->fd, NULL);
    fastcgi->is_watched = false;
}

static bool is_gone(struct connection *connection)
{
    struct pollfd end = { .fd = gone_fd(connection), .events = POLLIN };
    return end.fd >= 0 && poll(&end, 1, 0) > 0;
}

/* --- a connection from its beginning to its end --- */

struct fastcgi *fastcgi_new(struct watcher *watcher)
{
    struct fastcgi *fastcgi = calloc(1, sizeof(*fastcgi));
    if (!fastcgi)
        return NULL;
    if (!fastcgi_read_init(fastcgi)) {
        free(fastcgi);
        return NULL;
    }
    fastcgi->gone_fd = -1;
    fastcgi->watcher = watcher;
    fastcgi->seat = WATCHER_NO_SEAT;
    fastcgi->connection = (struct connection){
        .read = fastcgi_read_body,
        .body_fd = fastcgi_body_fd,
        .write = write_reply,
        .flush = flush_reply,
        .is_ready = is_ready,
        .gone_fd = gone_fd,
        .is_gone = is_gone,
        .watch = watch,
    };
    return fastcgi;
}

void fastcgi_free(struct fastcgi *fastcgi)
{
    if (!fastcgi)
        return;
    if (fastcgi->gone_fd >= 0)
        close(fastcgi->gone_fd);
    fastcgi_read_free(fastcgi);
    free(fastcgi);
}

/* Waits until the web server has closed its side, and reads what it still sends: closing a socket
 * with unread bytes resets it, and what was written may be lost on its way. */
static void linger(struct fastcgi *fastcgi)
{
    char unwanted[1024];
    ssize_t got = 1;

    shutdown(fastcgi->fd, SHUT_WR);
    while (
        (got > 0 || (got < 0 && errno == EAGAIN)) && fastcgi_wait(fastcgi->fd, POLLIN, LINGER_MS))
        got = recv(fastcgi->fd, unwanted, sizeof(unwanted), MSG_DONTWAIT);
}

struct connection *fastcgi_open(struct fastcgi *fastcgi, int fd, int wait_ms, char ***variables)
{
    fastcgi->fd = fd;
    fastcgi->wait_ms = wait_ms;
    fastcgi->kept_len = 0;
    fastcgi->is_failed = fastcgi->is_watched = fastcgi->connection.is_watched = false;
    if (fastcgi_read_request(fastcgi)) {
        *variables = fastcgi->variables;
        return &fastcgi->connection;
    }
    if (!fastcgi->is_read)
        linger(fastcgi);
    close(fd);
    fastcgi_read_reset(fastcgi);
    return NULL;
}

/* Waits until the web server has read what was written. lighttpd that reads the head of a reply
 * together with the end of its connection takes what there is for the whole of it: it gives it a
 * Content-Length, and the client cannot see that the rest is missing. Once it has sent the head on,
 * it can only cut the client's connection. */
static void wait_until_read(int fd)
{
    int unread;

    for (int ms = 0; ms < READ_WAIT_MS; ms += READ_AGAIN_MS) {
        if (ioctl(fd, SIOCOUTQ, &unread) < 0 || unread == 0)
            return;
        loop_poll(NULL, 0, READ_AGAIN_MS);
    }
}

/* What is kept, the end of the output, and that of the request go out as one. */
static void send_end(struct fastcgi *fastcgi)
{
    char *end = fastcgi->kept;
    if (fastcgi->kept_len > 0)
        end =
            record_put_head(end, RECORD_STDOUT, fastcgi->id, fastcgi->kept_len) + fastcgi->kept_len;
    end = record_put_head(end, RECORD_STDOUT, fastcgi->id, 0);
    end = record_put_end(end, fastcgi->id, RECORD_COMPLETE);
    fastcgi->kept_len = 0;
    fastcgi_send(fastcgi, fastcgi->kept, end);
}

void fastcgi_end(struct fastcgi *fastcgi, bool is_broken)
{
    if (is_broken) {
        flush_reply(&fastcgi->connection);
        wait_until_read(fastcgi->fd);
    } else {
        send_end(fastcgi);
    }
}

/* Asks only where the body was read and the end was sent: the web server then has no reason to let
 * us wait. */
static bool is_read_whole(struct fastcgi *fastcgi)
{
    if (fastcgi->connection.body_left > 0)
        return false;
    if (fastcgi->wait_ms < 0)
        fastcgi->wait_ms = LINGER_MS;
    return fastcgi_read_rest(fastcgi);
}

void fastcgi_close(struct fastcgi *fastcgi, bool is_broken)
{
    unwatch(fastcgi);
    if (is_broken || !is_read_whole(fastcgi))
        linger(fastcgi);
    /* Also where the web server would keep the connection (nginx, on request): a kept one would
     * hold its thread while idle, and costs the web server no more than a connect. */
    close(fastcgi->fd);
    fastcgi_read_reset(fastcgi);
}

void fastcgi_abandon(struct fastcgi *fastcgi, bool is_broken)
{
    unwatch(fastcgi);
    fastcgi_end(fastcgi, is_broken);
    linger(fastcgi);
    close(fastcgi->fd);
}
