/* fastcgi: one FastCGI connection after the other, for one thread; the only file that sees libfcgi.
 *
 * The accepted socket is ours, the protocol is libfcgi's: FCGX_Accept_r would accept and read in
 * one call, so that a thread could not know that it was the last idle one, and a signal that ends
 * the wait could also tear a request that is being read. So the socket is put into
 * FCGX_Request.ipcFd, where libfcgi expects one that it kept open from an earlier request.
 * fcgiapp.h says not to use that field; it has been there since 1996 and nothing else in libfcgi
 * takes a connected socket. */
#include "fastcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "crew.h"
#include "loop.h"
#include "watcher.h"

/* How long a web server may take to close its side after our end; libfcgi's own figure. */
#define LINGER_MS 2000

/* How long it may take to read the end of a broken reply, and how often that is looked at. */
#define READ_WAIT_MS 1000
#define READ_AGAIN_MS 1

/* Of a FastCGI record. The longest content is less by what would need padding. */
#define RECORD_VERSION 1
#define RECORD_STDOUT 6
#define RECORD_HEAD_SIZE 8
#define RECORD_MAX 65528

/* From here on libfcgi's copying costs more than it saves: as long as its buffer. */
#define LONG_PIECE 8192

/* Of a socket's room, besides the bytes themselves. */
#define FLUSH_COST 1024

/* How long a web server in a hurry may let us wait for a part of its request. */
#define HURRY_MS 50

/* Usual requests are shorter. */
#define PEEKED_MAX (16 * 1024)

struct fastcgi {
    struct connection connection; /* first: the two are cast into each other */
    FCGX_Request request;
    int gone_fd;     /* an epoll instance that waits for the end of a connection; -1 before that */
    bool is_watched; /* the present connection is in it */
    struct watcher *watcher;
    int seat;       /* of the watcher: it looks after the present connection's client; or none */
    size_t written; /* so far, and what the kernel needs for it besides */
};

/* Where libfcgi keeps signals for itself, in a way that a program with threads cannot use. */
static const int meddled_signals[] = { SIGPIPE, SIGUSR1, SIGTERM };

bool fastcgi_init(void)
{
    enum { COUNT = sizeof(meddled_signals) / sizeof(meddled_signals[0]) };
    struct sigaction ours[COUNT];

    for (int i = 0; i < COUNT; i++)
        sigaction(meddled_signals[i], NULL, &ours[i]);
    bool is_ready = FCGX_Init() == 0;
    for (int i = 0; i < COUNT; i++)
        sigaction(meddled_signals[i], &ours[i], NULL);
    return is_ready;
}

/* Waits until there is a part of the body and takes what came with it: FCGX_GetStr alone would
 * wait for `size` bytes, which holds up a body that is to be passed on as it comes. */
static ssize_t read_body(struct connection *connection, void *bytes, size_t size)
{
    FCGX_Stream *in = ((struct fastcgi *)connection)->request.in;
    int first = FCGX_GetChar(in);
    if (first == EOF)
        return -1;

    size_t more = (size_t)(in->stop - in->rdNext);
    if (more > size - 1)
        more = size - 1;
    char *to = bytes;
    to[0] = (char)first;
    return 1 + FCGX_GetStr(to + 1, (int)more, in);
}

/* What libfcgi's FCGX_Stream_Data begins with. It is not in its header, but nothing else tells
 * whether bytes of the next record were read along with the last one: the socket would then be
 * waited for in vain. */
struct stream_data {
    unsigned char *buff;
    int bufflen;
    unsigned char *mBuff;
    unsigned char *buffStop; /* behind the last byte that was read */
};

static int body_fd(struct connection *connection)
{
    struct fastcgi *fastcgi = (struct fastcgi *)connection;
    const FCGX_Stream *in = fastcgi->request.in;
    const struct stream_data *data = in->data;
    struct pollfd input = { .fd = fastcgi->request.ipcFd, .events = POLLIN };

    if (in->rdNext != in->stop || in->rdNext != data->buffStop || in->isClosed)
        return -1;
    return poll(&input, 1, 0) == 0 ? input.fd : -1;
}

/* False where it is not so within so many milliseconds (-1: it will be). */
static bool wait_until_writable(int fd, int wait_ms)
{
    struct pollfd output = { .fd = fd, .events = POLLOUT };
    return loop_poll(&output, 1, wait_ms) != 0;
}

/* A record of the reply around bytes that are where they are (FastCGI 1.0, 3.3 and 5.3). */
static bool write_record(const FCGX_Request *request, const char *bytes, size_t len)
{
    unsigned char head[RECORD_HEAD_SIZE] = { [0] = RECORD_VERSION,
        [1] = RECORD_STDOUT,
        [2] = (unsigned char)(request->requestId >> 8),
        [3] = (unsigned char)request->requestId,
        [4] = (unsigned char)(len >> 8),
        [5] = (unsigned char)len };
    struct iovec parts[] = { { head, sizeof(head) }, { (char *)bytes, len } };
    struct iovec *part = parts, *end = parts + 2;

    while (part < end) {
        struct msghdr message = { .msg_iov = part, .msg_iovlen = (size_t)(end - part) };
        ssize_t wrote = sendmsg(request->ipcFd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno == EAGAIN) {
            wait_until_writable(request->ipcFd, -1); /* others change errno meanwhile */
            continue;
        }
        if (wrote < 0)
            return false;
        for (; part < end && (size_t)wrote >= part->iov_len; part++)
            wrote -= (ssize_t)part->iov_len;
        if (part < end) {
            part->iov_base = (char *)part->iov_base + wrote;
            part->iov_len -= (size_t)wrote;
        }
    }
    return true;
}

/* libfcgi copies all of it into records of 8 KiB, each with a system call of its own. That is right
 * for what is written in small pieces; long ones go out around it. So does in a loop whatever
 * libfcgi might have to wait for with all others: a socket takes the first LONG_PIECE bytes at
 * once. */
static bool write_reply(struct connection *connection, const char *bytes, size_t len)
{
    struct fastcgi *fastcgi = (struct fastcgi *)connection;
    FCGX_Request *request = &fastcgi->request;

    fastcgi->written += len;
    if (len < LONG_PIECE && (fastcgi->written < LONG_PIECE || !loop_is_here()))
        return FCGX_PutStr(bytes, (int)len, request->out) >= 0;
    if (FCGX_FFlush(request->out) != 0 || FCGX_GetError(request->out) != 0)
        return false;
    for (size_t part; len > 0; bytes += part, len -= part) {
        part = len < RECORD_MAX ? len : RECORD_MAX;
        if (!write_record(request, bytes, part))
            return false;
    }
    return true;
}

static bool flush_reply(struct connection *connection)
{
    struct fastcgi *fastcgi = (struct fastcgi *)connection;
    FCGX_Stream *out = fastcgi->request.out;
    fastcgi->written += FLUSH_COST;
    return FCGX_FFlush(out) == 0 && FCGX_GetError(out) == 0;
}

static bool is_ready(struct connection *connection, int wait_ms)
{
    return wait_until_writable(((struct fastcgi *)connection)->request.ipcFd, wait_ms);
}

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
        fastcgi->is_watched =
            epoll_ctl(fastcgi->gone_fd, EPOLL_CTL_ADD, fastcgi->request.ipcFd, &end) == 0;
    return fastcgi->is_watched ? fastcgi->gone_fd : -1;
}

/* Only where the operator says that the web server needs it (see lighttpd/gateway.conf). lighttpd
 * does watch clients that speak HTTP/2 or TLS. */
static bool may_be_unwatched(char **variables)
{
    const char *protocol = FCGX_GetParam("SERVER_PROTOCOL", variables);
    return getenv("ASK_KERNEL_FOR_CLIENTS") && protocol && strncmp(protocol, "HTTP/1", 6) == 0 &&
           !FCGX_GetParam("HTTPS", variables);
}

/* The watcher shuts our side of the connection down, which gone_fd tells like the web server's end.
 */
static void watch(struct connection *connection)
{
    struct fastcgi *fastcgi = (struct fastcgi *)connection;
    char **variables = fastcgi->request.envp;
    struct peer peer;

    if (may_be_unwatched(variables) &&
        peer_name(&peer, FCGX_GetParam("SERVER_ADDR", variables),
            FCGX_GetParam("SERVER_PORT", variables), FCGX_GetParam("REMOTE_ADDR", variables),
            FCGX_GetParam("REMOTE_PORT", variables)))
        fastcgi->seat = watcher_add(fastcgi->watcher, &peer, fastcgi->request.ipcFd);
}

static void unwatch(struct fastcgi *fastcgi)
{
    watcher_remove(fastcgi->watcher, fastcgi->seat);
    fastcgi->seat = WATCHER_NO_SEAT;
    if (fastcgi->is_watched)
        epoll_ctl(fastcgi->gone_fd, EPOLL_CTL_DEL, fastcgi->request.ipcFd, NULL);
    fastcgi->is_watched = false;
}

static bool is_gone(struct connection *connection)
{
    struct pollfd end = { .fd = gone_fd(connection), .events = POLLIN };
    return end.fd >= 0 && poll(&end, 1, 0) > 0;
}

struct fastcgi *fastcgi_new(struct watcher *watcher)
{
    struct fastcgi *fastcgi = calloc(1, sizeof(*fastcgi));
    if (!fastcgi)
        return NULL;
    fastcgi->gone_fd = -1;
    fastcgi->watcher = watcher;
    fastcgi->seat = WATCHER_NO_SEAT;
    fastcgi->connection = (struct connection){
        .read = read_body,
        .body_fd = body_fd,
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
    if (fastcgi && fastcgi->gone_fd >= 0)
        close(fastcgi->gone_fd);
    free(fastcgi);
}

bool fastcgi_hurry(int fd)
{
    const struct timeval limit = { .tv_usec = HURRY_MS * 1000 };
    struct pollfd input = { .fd = fd, .events = POLLIN };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (loop_poll(&input, 1, HURRY_MS) == 1)
        return true;
    close(fd); /* without libfcgi, which would linger */
    return false;
}

/* Is it a whole request without a byte that is not as usual (FastCGI 1.0, 3.3 and 6.2)? */
static bool is_whole_request(const unsigned char *bytes, size_t len)
{
    enum { BEGIN = 1, PARAMS = 4, STDIN = 5 };
    int expected = BEGIN;
    while (len >= RECORD_HEAD_SIZE) {
        size_t content = (size_t)bytes[4] << 8 | bytes[5];
        size_t whole = RECORD_HEAD_SIZE + content + bytes[6];
        if (bytes[0] != RECORD_VERSION || bytes[1] != expected || len < whole)
            return false;
        if (content == 0 && expected == STDIN)
            return true;
        if (content == 0 || expected == BEGIN)
            expected = expected == BEGIN ? PARAMS : STDIN;
        bytes += whole;
        len -= whole;
    }
    return false;
}

/* In a loop: until the request is there, so that libfcgi will not have to wait for any of it. One
 * that is long, or comes in parts, gets a thread to wait in. */
static void wait_for_request(int fd)
{
    unsigned char bytes[PEEKED_MAX];
    struct pollfd input = { .fd = fd, .events = POLLIN };
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT)) < 0 &&
           (errno == EAGAIN || errno == EINTR))
        loop_poll(&input, 1, -1);
    if (got < 0 || !is_whole_request(bytes, (size_t)got))
        crew_take_thread();
}

struct connection *fastcgi_open(struct fastcgi *fastcgi, int fd, char ***variables)
{
    if (loop_is_here())
        wait_for_request(fd);
    fastcgi->written = 0;
    /* No listening socket: after a request that is none, libfcgi wants to accept the next one
     * itself; so it fails instead and comes back. */
    FCGX_InitRequest(&fastcgi->request, -1, 0);
    fastcgi->request.ipcFd = fd;
    fastcgi->is_watched = fastcgi->connection.is_watched = false;
    fastcgi->request.keepConnection = 1; /* or FCGX_Accept_r would close it first */
    if (FCGX_Accept_r(&fastcgi->request) < 0)
        return NULL;
    *variables = fastcgi->request.envp;
    return &fastcgi->connection;
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

void fastcgi_end(struct fastcgi *fastcgi, bool is_broken)
{
    if (is_broken) {
        FCGX_FFlush(fastcgi->request.out);
        wait_until_read(fastcgi->request.ipcFd);
    } else {
        if (fastcgi->written >= LONG_PIECE)
            wait_until_writable(fastcgi->request.ipcFd, -1);
        FCGX_FClose(fastcgi->request.err); /* first: then it costs no record of its own */
        FCGX_FClose(fastcgi->request.out);
    }
}

/* Did the web server send all that it will ever send? Closing a socket with unread bytes resets it,
 * and the reply may be lost on its way. Asks only where the body was read and the end was sent: the
 * web server then has no reason to let us wait. */
static bool is_read_whole(struct fastcgi *fastcgi)
{
    FCGX_Stream *in = fastcgi->request.in;
    return fastcgi->connection.body_left == 0 && FCGX_GetChar(in) == EOF && FCGX_GetError(in) == 0;
}

/* Waits until the web server has closed its side, and reads what it still sends. */
static void linger(int fd)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    char unwanted[1024];
    ssize_t got = 1;

    shutdown(fd, SHUT_WR);
    while ((got > 0 || (got < 0 && errno == EAGAIN)) && loop_poll(&readable, 1, LINGER_MS) > 0)
        got = recv(fd, unwanted, sizeof(unwanted), MSG_DONTWAIT);
}

void fastcgi_close(struct fastcgi *fastcgi, bool is_broken)
{
    unwatch(fastcgi);
    /* libfcgi would linger by itself, and block. Where nothing can be unread nobody has to. */
    if (is_broken || !is_read_whole(fastcgi))
        linger(fastcgi->request.ipcFd);
    FCGX_Detach(&fastcgi->request);
    /* Always closed, even where the web server would keep the connection (nginx, on request): a
     * kept one would hold its thread while idle, and costs the web server no more than a connect.
     */
    FCGX_Free(&fastcgi->request, 1);
}

void fastcgi_abandon(struct fastcgi *fastcgi, bool is_broken)
{
    unwatch(fastcgi);
    fastcgi_end(fastcgi, is_broken);
    linger(fastcgi->request.ipcFd);
    close(fastcgi->request.ipcFd);
}
