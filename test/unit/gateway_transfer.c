/* gateway_transfer: the same replies, good and broken, by both ways: over a socket of our own, and
 * by libcurl. What they say of a reply is the same, or the table says why it is not.
 *
 * Server and client take turns in one thread, so that every piece arrives by itself. */
#include <arpa/inet.h>
#include <netdb.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include "fcgi-gateway/transfer.h"
#include "lib/buf.h"
#include "lib/log.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum way { SOCKET, CURL, WAYS };

enum { CONNECTIONS_MAX = 8, REQUEST_MAX = 4096, PATIENCE_MS = 20000, TURN_US = 2, WHOLE = 1 << 20 };

static struct arena arena;

/* --- the server --- */

enum after { KEEP, CLOSE, RESET };

/* What it sends to a request, and what it does with the connection then. */
struct answer {
    struct str bytes;
    enum after after;
    bool is_deaf; /* nothing more is read from that connection */
};

struct connection {
    int fd; /* -1: closed */
    char got[REQUEST_MAX];
    size_t got_len;
    const struct answer *answer; /* that it is about to send, or NULL */
    size_t sent;
    bool is_deaf;
};

static struct server {
    int listener;
    unsigned short port;
    const struct answer *answers; /* to the first request, the second one, ... */
    size_t piece;                 /* bytes that are sent in a turn */
    int accepted, requests;
    struct connection connections[CONNECTIONS_MAX];
} server = { .piece = WHOLE };

static void hang_up(struct connection *connection, enum after how)
{
    const struct linger at_once = { .l_onoff = 1 };
    if (how == RESET)
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(connection->fd);
    connection->fd = -1;
}

/* A reset takes back what has not arrived. */
static bool has_arrived(const struct connection *connection)
{
    int left = 0;
    return ioctl(connection->fd, SIOCOUTQ, &left) != 0 || left == 0;
}

static void accept_all(void)
{
    const int on = 1;
    int fd;
    while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
        assert_true(server.accepted < CONNECTIONS_MAX);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        server.connections[server.accepted++] = (struct connection){ .fd = fd };
    }
}

/* A request has no body, or one that is not looked at. */
static void receive(struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->got + connection->got_len,
        REQUEST_MAX - connection->got_len, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        hang_up(connection, CLOSE);
        return;
    }
    connection->got_len += got > 0 ? (size_t)got : 0;
    if (!memmem(connection->got, connection->got_len, "\r\n\r\n", 4))
        return;
    connection->got_len = 0;
    connection->answer = &server.answers[server.requests++];
    connection->is_deaf = connection->answer->is_deaf;
    connection->sent = 0;
}

static void answer(struct connection *connection)
{
    const struct answer *given = connection->answer;
    size_t left = given->bytes.len - connection->sent;
    size_t len = left < server.piece ? left : server.piece;
    ssize_t sent = send(connection->fd, given->bytes.at + connection->sent, len, MSG_NOSIGNAL);
    connection->sent += sent > 0 ? (size_t)sent : 0;
    if (connection->sent < given->bytes.len && (sent >= 0 || errno == EAGAIN))
        return;
    if (given->after == RESET && !has_arrived(connection))
        return;
    connection->answer = NULL;
    if (given->after != KEEP)
        hang_up(connection, given->after);
}

/* Its turn: is there something left to do for it? */
static bool serve(void)
{
    bool is_busy = false;
    accept_all();
    for (int i = 0; i < server.accepted; i++) {
        struct connection *connection = &server.connections[i];
        if (connection->fd >= 0 && !connection->answer && !connection->is_deaf)
            receive(connection);
        if (connection->fd >= 0 && connection->answer)
            answer(connection);
        is_busy = is_busy || (connection->fd >= 0 && connection->answer);
    }
    return is_busy;
}

static void begin_to_serve(const struct answer *answers, size_t piece)
{
    server.answers = answers;
    server.piece = piece;
    server.accepted = server.requests = 0;
}

static void end_to_serve(void)
{
    for (int i = 0; i < server.accepted; i++)
        if (server.connections[i].fd >= 0)
            hang_up(&server.connections[i], CLOSE);
    server.accepted = 0;
}

/* In place of the system's: libcurl finds the server by any name. */
int getaddrinfo(
    const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    struct addrinfo *one = calloc(1, sizeof *one);
    struct sockaddr_in *address = calloc(1, sizeof *address);
    (void)name, (void)service, (void)hints;
    *address = (struct sockaddr_in){ .sin_family = AF_INET,
        .sin_port = htons(server.port),
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    *one = (struct addrinfo){ .ai_family = AF_INET,
        .ai_socktype = SOCK_STREAM,
        .ai_addr = (struct sockaddr *)address,
        .ai_addrlen = sizeof *address };
    *result = one;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(list->ai_addr);
    free(list);
}

/* --- the client --- */

static char urls[WAYS][64];

static struct address address_by(enum way way)
{
    return (struct address){ .text = str_of(urls[way]), .url = urls[way] };
}

static void start_call(
    struct transferer *transferer, struct call *call, enum way way, int connect_ms)
{
    static struct address address;
    address = address_by(way);
    struct transfer_terms terms = { .address = &address,
        .host = STR("test"),
        .first_us = log_clock_us() + PATIENCE_MS * 1000LL,
        .left_ms = PATIENCE_MS,
        .connect_ms = connect_ms };
    transfer_start(transferer, call, &terms);
}

/* Turn by turn up to its end. */
static void end_call(struct transferer *transferer, struct call *call)
{
    long long until_us = log_clock_us() + PATIENCE_MS * 1000LL;
    struct call *ended = NULL;
    while (!ended && log_clock_us() < until_us) {
        serve();
        ended = transfer_next(transferer, log_clock_us() + TURN_US);
    }
    if (!ended)
        transfer_cancel(transferer, call);
}

static void exchange(struct transferer *transferer, struct call *call, enum way way)
{
    start_call(transferer, call, way, 0);
    end_call(transferer, call);
}

static struct call call_of(const char *method)
{
    return (struct call){
        .method = method, .target = "/", .timeout_ms = PATIENCE_MS, .arena = &arena, .outcome = -1
    };
}

/* "200 A=b Content-Length=3 'abc'" or "broken: The reply broke off". */
static void describe(const struct call *call, struct buf *out)
{
    static const char *const outcomes[] = { "ok", "unreachable", "timeout", "broken", "gone" };
    if (call->outcome != CALL_OK) {
        bool is_known = (size_t)call->outcome < COUNT(outcomes);
        buf_printf(out, "%s: %s", is_known ? outcomes[call->outcome] : "no end", call->cause);
        return;
    }
    buf_int(out, call->status);
    for (const struct call_field *field = call->first_field; field; field = field->next) {
        buf_char(out, ' ');
        buf_str(out, field->name);
        buf_char(out, '=');
        buf_str(out, field->value);
    }
    buf_text(out, " '");
    buf_str(out, call->body);
    buf_char(out, '\'');
}

/* --- replies --- */

#define HEAD_OK "HTTP/1.1 200 OK\r\n"
#define LENGTH_3 "Content-Length: 3\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define GOOD_3 HEAD_OK LENGTH_3 "\r\nabc"

#define ABC "200 Content-Length=3 'abc'"
#define ABC_CHUNKED "200 Transfer-Encoding=chunked 'abc'"
#define KEPT ", kept"
#define NOT_HTTP "broken: The reply is not HTTP"
#define BROKE_OFF "broken: The reply broke off"
#define NO_STATUS "broken: The reply's status is none of HTTP's"
#define TOO_LONG "broken: The head of the reply is too long"
#define NO_REPLY "unreachable: Connection closed before a reply"

struct check {
    struct str reply;
    enum after after;
    const char *expected; /* by a socket of our own */
    const char *by_curl;  /* where that is something else; else NULL */
    const char *method;   /* NULL: GET */
};

/* The reply to a first call, then a second call: it must get its own answer, over the same
 * connection only where that is certain to have no byte left. */
static const char *result_of(const struct check *check, enum way way, size_t piece)
{
    const struct answer answers[] = { { check->reply, check->after, false },
        { STR("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"), KEEP, false } };
    struct transferer *transferer = transferer_new();
    struct call first = call_of(check->method ? check->method : "GET"), second = call_of("GET");
    struct buf out;
    buf_init(&out, &arena);
    begin_to_serve(answers, piece);
    exchange(transferer, &first, way);
    describe(&first, &out);
    while (serve())
        ;
    exchange(transferer, &second, way);
    if (second.outcome != CALL_OK || !str_is(second.body, "second") || server.requests != 2) {
        buf_text(&out, ", then ");
        describe(&second, &out);
    }
    if (server.accepted == 1)
        buf_text(&out, KEPT);
    transferer_free(transferer);
    end_to_serve();
    return buf_as_text(&out);
}

/* How many are not as they should be. */
static int count_wrong(const struct check *check, enum way way, size_t piece)
{
    static const char *const names[] = { "by a socket", "by libcurl" };
    const char *expected = way == CURL && check->by_curl ? check->by_curl : check->expected;
    const char *result = result_of(check, way, piece);
    bool is_wrong = strcmp(result, expected) != 0;
    if (is_wrong)
        print_error("'%s' %s, pieces of %zu:\n   %s\n   not %s\n", check->reply.at, names[way],
            piece, result, expected);
    arena_clear(&arena);
    arena_init(&arena);
    return is_wrong;
}

static void replies_in_pieces_are(const struct check *checks, size_t count, size_t piece)
{
    int wrong = 0;
    for (size_t i = 0; i < count; i++)
        for (int way = SOCKET; way < WAYS; way++)
            wrong += count_wrong(&checks[i], way, piece);
    assert_int_equal(wrong, 0);
}

static void replies_are(const struct check *checks, size_t count)
{
    replies_in_pieces_are(checks, count, WHOLE);
    replies_in_pieces_are(checks, count, 1);
}

static void good_replies(void **state)
{
    static const struct check checks[] = {
        { STR(GOOD_3), KEEP, ABC KEPT, NULL, NULL },
        { STR(GOOD_3), CLOSE, ABC, NULL, NULL },
        { STR(GOOD_3), RESET, ABC, NULL, NULL },
        { STR("HTTP/1.1 404 \r\n" LENGTH_3 "\r\nabc"), KEEP, "404 Content-Length=3 'abc'" KEPT,
            NULL, NULL },
        { STR("HTTP/1.1 404\r\n" LENGTH_3 "\r\nabc"), KEEP, "404 Content-Length=3 'abc'" KEPT, NULL,
            NULL },
        { STR(HEAD_OK "Content-Length: 0\r\n\r\n"), KEEP, "200 Content-Length=0 ''" KEPT, NULL,
            NULL },
        { STR(HEAD_OK "A:b\r\na: \tc \r\nB:\r\n" LENGTH_3 "\r\nabc"), KEEP,
            "200 A=b a=c B= Content-Length=3 'abc'" KEPT, NULL, NULL },
        { STR(HEAD_OK LENGTH_3 LENGTH_3 "\r\nabc"), KEEP,
            "200 Content-Length=3 Content-Length=3 'abc'" KEPT, NULL, NULL },
        /* Up to the end of the connection. */
        { STR(HEAD_OK "\r\nabc"), CLOSE, "200 'abc'", NULL, NULL },
        { STR(HEAD_OK "Connection: keep-alive\r\n\r\nabc"), CLOSE,
            "200 Connection=keep-alive 'abc'", NULL, NULL },
        { STR(HEAD_OK "\r\n"), CLOSE, "200 ''", NULL, NULL },
        { STR(HEAD_OK "\r\nabc"), RESET, BROKE_OFF, NULL, NULL },
        /* Without a body. */
        { STR("HTTP/1.1 204 No Content\r\n\r\n"), KEEP, "204 ''" KEPT, NULL, NULL },
        { STR("HTTP/1.1 304 Not Modified\r\n" LENGTH_3 "\r\n"), KEEP,
            "304 Content-Length=3 ''" KEPT, NULL, NULL },
        { STR("HTTP/1.1 304 Not Modified\r\n\r\n"), KEEP, "304 ''" KEPT, NULL, NULL },
        { STR(HEAD_OK LENGTH_3 "\r\n"), KEEP, "200 Content-Length=3 ''" KEPT, NULL, "HEAD" },
        { STR(HEAD_OK CHUNKED "\r\n"), KEEP, "200 Transfer-Encoding=chunked ''" KEPT, NULL,
            "HEAD" },
        { STR(HEAD_OK "\r\n"), KEEP, "200 ''" KEPT, NULL, "HEAD" },
        /* Lines that end with LF alone may be read (RFC 9112 section 2.2). */
        { STR("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"), KEEP, ABC KEPT, NULL, NULL },
        { STR("HTTP/1.1 200 OK\r\nContent-Length: 3\n\r\nabc"), KEEP, ABC KEPT, NULL, NULL },
        /* Versions and options of the connection. */
        { STR("HTTP/1.0 200 OK\r\n" LENGTH_3 "\r\nabc"), KEEP, ABC, NULL, NULL },
        { STR("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" LENGTH_3 "\r\nabc"), KEEP,
            "200 Connection=Keep-Alive Content-Length=3 'abc'" KEPT, NULL, NULL },
        { STR("HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n" LENGTH_3 "\r\nabc"), KEEP,
            "200 Connection=keep-alive, close Content-Length=3 'abc'", NULL, NULL },
        { STR("HTTP/1.0 200 OK\r\n\r\nabc"), CLOSE, "200 'abc'", NULL, NULL },
        { STR(HEAD_OK "Connection: close\r\n" LENGTH_3 "\r\nabc"), KEEP,
            "200 Connection=close Content-Length=3 'abc'", NULL, NULL },
        { STR(HEAD_OK "Connection: a, CLOSE\r\n" LENGTH_3 "\r\nabc"), KEEP,
            "200 Connection=a, CLOSE Content-Length=3 'abc'", NULL, NULL },
        { STR(HEAD_OK "Connection: keep-alive\r\nConnection: close\r\n" LENGTH_3 "\r\nabc"), KEEP,
            "200 Connection=keep-alive Connection=close Content-Length=3 'abc'", NULL, NULL },
        /* libcurl knows no other versions than 1.0 and 1.1; all are 1.1 (RFC 9110 section 2.5). */
        { STR("HTTP/1.9 200 OK\r\n" LENGTH_3 "\r\nabc"), KEEP, ABC KEPT, NOT_HTTP, NULL },
    };
    (void)state;
    replies_are(checks, COUNT(checks));
}

static void interim_replies(void **state)
{
    static const struct check checks[] = {
        { STR("HTTP/1.1 100 Continue\r\n\r\n" GOOD_3), KEEP, ABC KEPT, NULL, NULL },
        { STR("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n" LENGTH_3 CHUNKED
              "\r\nHTTP/1.1 102 Processing\r\n\r\n" GOOD_3),
            KEEP, ABC KEPT, NULL, NULL },
        { STR("HTTP/1.1 199 ?\n\n" GOOD_3), KEEP, ABC KEPT, NULL, NULL },
        /* What they say of the connection is nothing for us, and the end of it for libcurl. */
        { STR("HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n" GOOD_3), KEEP, ABC KEPT, ABC,
            NULL },
        { STR("HTTP/1.0 100 Continue\r\n\r\n" GOOD_3), KEEP, ABC KEPT, ABC, NULL },
        /* Nothing, something else or too little behind them. */
        { STR("HTTP/1.1 100 Continue\r\n\r\n"), CLOSE, NO_REPLY, NULL, NULL },
        { STR("HTTP/1.1 100 Continue\r\n\r\nabc\r\n"), CLOSE, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1 100 Continue\r\n\r\n" HEAD_OK), CLOSE, BROKE_OFF, NULL, NULL },
        /* Nobody asked to change the protocol. */
        { STR("HTTP/1.1 101 Switching Protocols\r\n\r\n"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\nConnection: "
              "upgrade\r\n\r\n" GOOD_3),
            KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1 101 Switching Protocols\r\n\r\n" GOOD_3), CLOSE, NOT_HTTP, NULL, NULL },
    };
    (void)state;
    replies_are(checks, COUNT(checks));
}

static void bad_status_lines(void **state)
{
    static const struct check checks[] = {
        { STR("HTTP/1.1 599 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, "599 Content-Length=3 'abc'" KEPT,
            NULL, NULL },
        { STR("HTTP/1.1 600 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, NO_STATUS, NULL, NULL },
        { STR("HTTP/1.1 999 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, NO_STATUS, NULL, NULL },
        { STR("HTTP/1.1 1000 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1 99 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1 099 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1 000 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1 -20 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1 200OK\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1  200 OK\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/1.1 200 O\0K\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/2.0 200 OK\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("HTTP/3 200 OK\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("http/1.1 200 OK\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("ICY 200 OK\r\n\r\n"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("\r\n" GOOD_3), KEEP, NOT_HTTP, NULL, NULL },
        { STR(" " GOOD_3), KEEP, NOT_HTTP, NULL, NULL },
        /* Whoever waits for the end of a line may wait for long. */
        { STR("<html>"), KEEP, NOT_HTTP, NULL, NULL },
        { STR("\x15\x03\x01\x00\x02\x02\x46"), CLOSE, NOT_HTTP, NULL, NULL },
        /* libcurl waits for the end of a line that begins like this. */
        { STR("HTTP/2"), CLOSE, NOT_HTTP, NO_REPLY, NULL },
        { STR(""), CLOSE, NO_REPLY, NULL, NULL },
        { STR(""), RESET, NO_REPLY, NULL, NULL },
    };
    (void)state;
    replies_are(checks, COUNT(checks));
}

static void bad_fields(void **state)
{
    static const struct check checks[] = {
        { STR(HEAD_OK "A: b\r\n c\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK " c\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK LENGTH_3 " \r\n\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "Content-Length : 3\r\n\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "\rContent-Length: 3\r\n\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "abc\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK ": b\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "A: b\0c\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "A\0: b\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "A: b\rSet-Cookie: c\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        /* A second status line would begin another head. */
        { STR(HEAD_OK "Set-Cookie: c\r\nHTTP/1.1 200 OK\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP,
            NULL, NULL },
        { STR(HEAD_OK "Transfer-Encoding: gzip\r\nHTTP/1.1: b\r\n" LENGTH_3 "\r\nabc"), KEEP,
            NOT_HTTP, NULL, NULL },
        /* Lengths, and what is none. */
        { STR(HEAD_OK LENGTH_3 "Content-Length: 2\r\n\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "Content-Length: 3, 3\r\n\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "Content-Length: -3\r\n\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "Content-Length: +3\r\n\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "Content-Length: 3x\r\n\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "Content-Length: \r\n\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "Content-Length: 99999999999999999999\r\n\r\nabc"), KEEP, NOT_HTTP, NULL,
            NULL },
        { STR(HEAD_OK CHUNKED "Content-Length: 2x\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), KEEP, NOT_HTTP,
            NULL, NULL },
        /* Codings that we did not ask for. */
        { STR(HEAD_OK "Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), KEEP,
            NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK CHUNKED CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "Transfer-Encoding: identity\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL,
            NULL },
        { STR(HEAD_OK "Transfer-Encoding:\r\n" LENGTH_3 "\r\nabc"), KEEP, NOT_HTTP, NULL, NULL },
        { STR(HEAD_OK "Transfer-Encoding: xchunked\r\n\r\nabc"), CLOSE, NOT_HTTP, NULL, NULL },
    };
    (void)state;
    replies_are(checks, COUNT(checks));
}

static void chunked_replies(void **state)
{
    static const struct check checks[] = {
        { STR(HEAD_OK CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n"), KEEP, ABC_CHUNKED KEPT, NULL, NULL },
        { STR(HEAD_OK CHUNKED "\r\n1;a=b\r\na\r\n0002 ;c\r\nbc\r\n0\r\nContent-Length: 1\r\n\r\n"),
            KEEP, ABC_CHUNKED KEPT, NULL, NULL },
        { STR(HEAD_OK CHUNKED "\r\n0\r\n\r\n"), KEEP, "200 Transfer-Encoding=chunked ''" KEPT, NULL,
            NULL },
        /* Somebody on the way may have seen another end (RFC 9112 section 6.3). */
        { STR(HEAD_OK CHUNKED "Content-Length: 1\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), KEEP,
            "200 Transfer-Encoding=chunked Content-Length=1 'abc'", NULL, NULL },
        { STR(HEAD_OK "Content-Length: 1\r\n" CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n"), KEEP,
            "200 Content-Length=1 Transfer-Encoding=chunked 'abc'", NULL, NULL },
        /* HTTP/1.0 knows no chunks: its framing counts as faulty (RFC 9112 section 6.1). */
        { STR("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n"),
            KEEP, "200 Connection=keep-alive Transfer-Encoding=chunked 'abc'", NULL, NULL },
        /* Chunks that are none. libcurl does not say what is wrong with them. */
        { STR(HEAD_OK CHUNKED "\r\nx\r\nabc\r\n0\r\n\r\n"), KEEP, NOT_HTTP, BROKE_OFF, NULL },
        { STR(HEAD_OK CHUNKED "\r\n-3\r\nabc\r\n0\r\n\r\n"), KEEP, NOT_HTTP, BROKE_OFF, NULL },
        { STR(HEAD_OK CHUNKED "\r\n0x3\r\nabc\r\n0\r\n\r\n"), KEEP, NOT_HTTP, BROKE_OFF, NULL },
        { STR(HEAD_OK CHUNKED "\r\n 3\r\nabc\r\n0\r\n\r\n"), KEEP, NOT_HTTP, BROKE_OFF, NULL },
        { STR(HEAD_OK CHUNKED "\r\n10000000000000003\r\nabc\r\n0\r\n\r\n"), KEEP, NOT_HTTP,
            BROKE_OFF, NULL },
        { STR(HEAD_OK CHUNKED "\r\n3\r\nabcd\r\n0\r\n\r\n"), KEEP, NOT_HTTP, BROKE_OFF, NULL },
        { STR(HEAD_OK CHUNKED "\r\n3\r\nabc0\r\n\r\n"), KEEP, NOT_HTTP, BROKE_OFF, NULL },
        { STR(HEAD_OK CHUNKED "\r\nxyz"), CLOSE, NOT_HTTP, BROKE_OFF, NULL },
        /* libcurl reads these: any character behind a size and a blank, LF for CR LF. */
        { STR(HEAD_OK CHUNKED "\r\n3 1\r\nabc\r\n0\r\n\r\n"), KEEP, NOT_HTTP, ABC_CHUNKED KEPT,
            NULL },
        { STR(HEAD_OK CHUNKED "\r\n3\nabc\r\n0\r\n\r\n"), KEEP, NOT_HTTP, ABC_CHUNKED KEPT, NULL },
        { STR(HEAD_OK CHUNKED "\r\n3\r\nabc\n0\r\n\r\n"), KEEP, NOT_HTTP, ABC_CHUNKED KEPT, NULL },
        { STR(HEAD_OK CHUNKED "\r\n3\r\nabc\r\n0\r\nA: b\n\r\n"), KEEP, NOT_HTTP, ABC_CHUNKED KEPT,
            NULL },
        { STR(HEAD_OK CHUNKED "\r\n3\r\nabc\r\n0\r\n\n"), KEEP, NOT_HTTP, ABC_CHUNKED KEPT, NULL },
    };
    (void)state;
    replies_are(checks, COUNT(checks));
}

/* Bytes that nobody asked for, and ends of connections that nobody waits for. */
static void what_comes_behind_the_end(void **state)
{
    static const struct check checks[] = {
        { STR(GOOD_3 "d"), KEEP, ABC, NULL, NULL },
        { STR(GOOD_3 GOOD_3), KEEP, ABC, NULL, NULL },
        { STR(GOOD_3 "\r\n"), KEEP, ABC, NULL, NULL },
        { STR(GOOD_3 "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"), CLOSE, ABC, NULL,
            NULL },
        /* What the head announces may still be on its way. */
        { STR("HTTP/1.1 204 No Content\r\n" LENGTH_3 "\r\n"), KEEP, "204 Content-Length=3 ''", NULL,
            NULL },
        { STR("HTTP/1.1 204 No Content\r\n" CHUNKED "\r\n"), KEEP,
            "204 Transfer-Encoding=chunked ''", NULL, NULL },
        { STR("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), KEEP,
            "204 Content-Length=0 ''" KEPT, NULL, NULL },
    };
    (void)state;
    replies_are(checks, COUNT(checks));
}

/* Where the body is over without being counted, libcurl drops what it has read behind it. What
 * comes later it does not get: no connection has bytes in it when a request goes out. */
static void what_comes_together_with_the_end(void **state)
{
    static const struct check checks[] = {
        { STR("HTTP/1.1 204 No Content\r\n\r\n" GOOD_3), KEEP, "204 ''", "204 ''" KEPT, NULL },
        { STR("HTTP/1.1 304 Not Modified\r\n" LENGTH_3 "\r\nabc"), KEEP, "304 Content-Length=3 ''",
            "304 Content-Length=3 ''" KEPT, NULL },
        { STR(GOOD_3), KEEP, "200 Content-Length=3 ''", "200 Content-Length=3 ''" KEPT, "HEAD" },
        { STR(HEAD_OK CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n" GOOD_3), KEEP, ABC_CHUNKED,
            ABC_CHUNKED KEPT, NULL },
        { STR(HEAD_OK CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n\r\n"), KEEP, ABC_CHUNKED, ABC_CHUNKED KEPT,
            NULL },
    };
    struct check later[COUNT(checks)];
    (void)state;
    memcpy(later, checks, sizeof later);
    for (size_t i = 0; i < COUNT(later); i++)
        later[i].by_curl = NULL;
    replies_in_pieces_are(checks, COUNT(checks), WHOLE);
    replies_in_pieces_are(later, COUNT(later), 1);
}

/* A reply whose connection ends at every place in it, in good order or not. */
static void replies_that_break_off(void **state)
{
    static const struct {
        struct str reply;
        size_t status_len; /* up to there the status is not known */
        size_t head_len;   /* from there on the end may be where it is; 0: never */
        size_t ignored;    /* bytes at its end that libcurl does not wait for */
    } checks[] = {
        { STR(GOOD_3), sizeof HEAD_OK - 1, 0, 0 },
        { STR("HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" GOOD_3), 31 + sizeof HEAD_OK - 1, 0, 0 },
        { STR(HEAD_OK CHUNKED "\r\n3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n"), sizeof HEAD_OK - 1, 0, 1 },
        { STR(HEAD_OK "\r\nabc"), sizeof HEAD_OK - 1, sizeof HEAD_OK + 1, 0 },
    };
    int wrong = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++)
        for (size_t len = 0; len < checks[i].reply.len; len++)
            for (enum after after = CLOSE; after <= RESET; after++) {
                struct check check = { { checks[i].reply.at, len }, after, BROKE_OFF, NULL, NULL };
                char whole[32];
                if (len < checks[i].status_len)
                    check.expected = NO_REPLY;
                if (checks[i].head_len && len >= checks[i].head_len && after == CLOSE) {
                    snprintf(
                        whole, sizeof whole, "200 '%.*s'", (int)(len - checks[i].head_len), "abc");
                    check.expected = whole;
                }
                wrong += count_wrong(&check, SOCKET, WHOLE);
                if (len + checks[i].ignored < checks[i].reply.len)
                    wrong += count_wrong(&check, CURL, WHOLE);
            }
    assert_int_equal(wrong, 0);
}

/* `line` again and again, up to so many bytes. */
static struct str much_of(const char *begin, const char *line, size_t len)
{
    struct buf out;
    buf_init(&out, &arena);
    buf_text(&out, begin);
    while (out.len < len)
        buf_text(&out, line);
    return buf_as_str(&out);
}

/* libcurl has limits of its own for a line, and says nothing of them. */
static void heads_that_are_too_long(void **state)
{
    enum { LEN = 1 << 20 };
    static const struct {
        const char *begin, *line, *by_curl;
    } checks[] = {
        { HEAD_OK, "A: b\r\n", NULL },
        { "", "HTTP/1.1 100 Continue\r\n\r\n", NULL },
        { HEAD_OK "A:", "b", BROKE_OFF },
        { "HTTP/1.1 200 ", "OK", NO_REPLY },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++)
        for (int way = SOCKET; way < WAYS; way++) {
            struct check check = { much_of(checks[i].begin, checks[i].line, LEN), KEEP, TOO_LONG,
                checks[i].by_curl, NULL };
            assert_int_equal(count_wrong(&check, way, WHOLE), 0);
        }
}

/* --- connections --- */

#define SECOND "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"

/* What a second call comes to, whose answers are these, over the kept connection of a first one. */
static const char *second_of(const struct answer *second, enum way way, const char *method)
{
    const struct answer answers[] = { { STR(GOOD_3), KEEP, false }, second[0], second[1] };
    struct transferer *transferer = transferer_new();
    struct call first = call_of("GET"), again = call_of(method);
    struct buf out;
    buf_init(&out, &arena);
    begin_to_serve(answers, WHOLE);
    exchange(transferer, &first, way);
    exchange(transferer, &again, way);
    describe(&again, &out);
    buf_printf(&out, ", %d requests, %d connections", server.requests, server.accepted);
    transferer_free(transferer);
    end_to_serve();
    return buf_as_text(&out);
}

static void kept_connections_that_end(void **state)
{
    static const struct {
        struct answer second[2];
        const char *method, *expected;
    } checks[] = {
        { { { STR(SECOND), KEEP, false } }, "GET",
            "200 Content-Length=6 'second', 2 requests, 1 connections" },
        /* Once more, over a new one, as long as nothing came. */
        { { { STR(""), CLOSE, false }, { STR(SECOND), KEEP, false } }, "GET",
            "200 Content-Length=6 'second', 3 requests, 2 connections" },
        { { { STR(""), RESET, false }, { STR(SECOND), KEEP, false } }, "HEAD",
            "200 Content-Length=6 '', 3 requests, 2 connections" },
        { { { STR(""), CLOSE, false }, { STR(""), CLOSE, false } }, "GET",
            NO_REPLY ", 3 requests, 2 connections" },
        /* What changes something has a connection of its own. */
        { { { STR(SECOND), KEEP, false } }, "POST",
            "200 Content-Length=6 'second', 2 requests, 2 connections" },
        { { { STR(""), CLOSE, false }, { STR(SECOND), KEEP, false } }, "DELETE",
            NO_REPLY ", 2 requests, 2 connections" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++)
        for (int way = SOCKET; way < WAYS; way++) {
            const char *result = second_of(checks[i].second, way, checks[i].method);
            assert_string_equal(result, checks[i].expected);
        }
}

/* It would never be used again, and there might be very many of them. */
static void what_changes_something_leaves_no_connection(void **state)
{
    static const struct answer answers[] = { { STR(GOOD_3), KEEP, false } };
    (void)state;
    for (int way = SOCKET; way < WAYS; way++) {
        struct transferer *transferer = transferer_new();
        struct call call = call_of("POST");
        long long until_us = log_clock_us() + PATIENCE_MS * 1000LL;
        begin_to_serve(answers, WHOLE);
        exchange(transferer, &call, way);
        assert_int_equal(call.outcome, CALL_OK);
        while (server.connections[0].fd >= 0 && log_clock_us() < until_us)
            serve();
        assert_int_equal(server.connections[0].fd, -1);
        transferer_free(transferer);
        end_to_serve();
    }
}

/* The service is not to blame. */
static void no_descriptor_is_free(void **state)
{
    struct rlimit former, none;
    struct transferer *transferer = transferer_new();
    struct call call = call_of("GET");
    (void)state;
    int highest = dup(server.listener);
    getrlimit(RLIMIT_NOFILE, &former);
    none = (struct rlimit){ (rlim_t)highest, former.rlim_max };
    close(highest);
    for (int fd = 0; fd < highest; fd++)
        assert_true(fcntl(fd, F_GETFD) >= 0); /* no gap below */
    setrlimit(RLIMIT_NOFILE, &none);
    start_call(transferer, &call, SOCKET, 0);
    setrlimit(RLIMIT_NOFILE, &former);
    assert_ptr_equal(transfer_next(transferer, log_clock_us() + TURN_US), &call);
    assert_int_equal(call.outcome, CALL_REFUSED);
    assert_true(call.is_unsent && call.retry_after_s > 0);
    transferer_free(transferer);
}

/* libcurl does not count a line that is not complete. It is a GET, and a second one does no harm.
 */
static void a_kept_connection_that_ends_in_the_first_line(void **state)
{
    static const struct answer second[] = { { STR("HTTP"), CLOSE, false },
        { STR(SECOND), KEEP, false } };
    (void)state;
    assert_string_equal(second_of(second, SOCKET, "GET"), NO_REPLY ", 2 requests, 1 connections");
    assert_string_equal(
        second_of(second, CURL, "GET"), "200 Content-Length=6 'second', 3 requests, 2 connections");
}

/* --- requests --- */

#define BODY_LEN (8 << 20)

struct body {
    int fd; /* to wait for; -1: it is there */
    size_t left;
};

static ssize_t read_body(struct call *call, void *bytes, size_t size)
{
    struct body *body = call->context;
    size_t len = size < body->left ? size : body->left;
    memset(bytes, 'x', len);
    body->left -= len;
    return (ssize_t)len;
}

static int body_fd(struct call *call)
{
    struct body *body = call->context;
    return body->fd;
}

static struct call upload_of(struct body *body)
{
    struct call call = call_of("POST");
    call.read = read_body;
    call.body_fd = body_fd;
    call.body_length = (int64_t)body->left;
    call.context = body;
    return call;
}

/* The service does not want the rest: its reply counts, and no more is sent. */
static void early_replies(void **state)
{
    enum { PIECES_MAX = 4 * 64 * 1024 };
    static const struct {
        struct answer answer;
        const char *expected;
    } checks[] = {
        { { STR("HTTP/1.1 413 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, true },
            "413 Content-Length=3 'abc'" },
        { { STR("HTTP/1.1 413 ?\r\n" LENGTH_3 "\r\nabc"), CLOSE, true },
            "413 Content-Length=3 'abc'" },
        { { STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 ?\r\n" LENGTH_3 "\r\nabc"), KEEP, true },
            "302 Content-Length=3 'abc'" },
        /* With bytes unread in it, the server's end is a reset: is that the end of the reply? */
        { { STR("HTTP/1.1 413 ?\r\n\r\nabc"), CLOSE, true }, BROKE_OFF },
        { { STR("HTTP/1.1 200 ?\r\n\r\nabc"), RESET, true }, BROKE_OFF },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++)
        for (int way = SOCKET; way < WAYS; way++) {
            struct transferer *transferer = transferer_new();
            struct body body = { -1, BODY_LEN };
            struct call call = upload_of(&body);
            struct buf out;
            buf_init(&out, &arena);
            begin_to_serve(&checks[i].answer, WHOLE);
            exchange(transferer, &call, way);
            describe(&call, &out);
            assert_string_equal(buf_as_text(&out), checks[i].expected);
            assert_true(BODY_LEN - body.left <= PIECES_MAX);
            transferer_free(transferer);
            end_to_serve();
        }
}

/* The whole reply is there and the connection at its end, while the client has yet to send. */
static void a_client_that_sends_to_nobody(void **state)
{
    static const struct answer answers[] = { { STR(GOOD_3), RESET, true } };
    struct transferer *transferer = transferer_new();
    struct body body = { -1, BODY_LEN };
    struct call call = upload_of(&body);
    int pipe_fds[2];
    struct buf out;
    (void)state;
    buf_init(&out, &arena);
    assert_int_equal(pipe(pipe_fds), 0);
    body.fd = pipe_fds[0];
    begin_to_serve(answers, WHOLE);
    exchange(transferer, &call, SOCKET);
    describe(&call, &out);
    assert_string_equal(buf_as_text(&out), ABC);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    transferer_free(transferer);
    end_to_serve();
}

/* The end of an exchange stays, also where the client's next bytes come in the same moment. */
static void an_end_that_comes_with_the_clients_bytes(void **state)
{
    static const struct answer answers[] = { { STR("SSH-2.0-a\r\n"), CLOSE, true } };
    struct transferer *transferer = transferer_new();
    struct body body = { -1, BODY_LEN };
    struct call call = upload_of(&body);
    int pipe_fds[2];
    struct buf out;
    (void)state;
    buf_init(&out, &arena);
    assert_int_equal(pipe(pipe_fds), 0);
    body.fd = pipe_fds[0];
    begin_to_serve(answers, WHOLE);
    start_call(transferer, &call, SOCKET, 0);
    for (serve(); server.requests == 0; serve())
        assert_null(transfer_next(transferer, log_clock_us() + TURN_US));
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    end_call(transferer, &call);
    describe(&call, &out);
    assert_string_equal(buf_as_text(&out), NOT_HTTP);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    transferer_free(transferer);
    end_to_serve();
}

/* The time for connecting is for a connection that is made, not for one that was kept. */
static void a_kept_connection_that_ends_late(void **state)
{
    enum { CONNECT_MS = 300 };
    static const struct answer answers[] = { { STR(GOOD_3), KEEP, false },
        { STR(""), CLOSE, false }, { STR(SECOND), KEEP, false } };
    (void)state;
    for (int way = SOCKET; way < WAYS; way++) {
        struct transferer *transferer = transferer_new();
        struct call first = call_of("GET"), second = call_of("GET");
        struct buf out;
        buf_init(&out, &arena);
        begin_to_serve(answers, WHOLE);
        exchange(transferer, &first, way);
        start_call(transferer, &second, way, CONNECT_MS);
        assert_null(transfer_next(transferer, log_clock_us() + CONNECT_MS * 1000LL));
        end_call(transferer, &second);
        describe(&second, &out);
        assert_string_equal(buf_as_text(&out), "200 Content-Length=6 'second'");
        transferer_free(transferer);
        end_to_serve();
    }
}

/* --- main --- */

static int start(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;
    (void)state;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server.listener, CONNECTIONS_MAX), 0);
    getsockname(server.listener, (struct sockaddr *)&address, &len);
    server.port = ntohs(address.sin_port);
    snprintf(urls[SOCKET], sizeof urls[SOCKET], "http://127.0.0.1:%u", server.port);
    snprintf(urls[CURL], sizeof urls[CURL], "http://transfer.test:%u", server.port);
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(server.listener);
    arena_clear(&arena);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_replies),
        cmocka_unit_test(interim_replies),
        cmocka_unit_test(bad_status_lines),
        cmocka_unit_test(bad_fields),
        cmocka_unit_test(chunked_replies),
        cmocka_unit_test(what_comes_behind_the_end),
        cmocka_unit_test(what_comes_together_with_the_end),
        cmocka_unit_test(replies_that_break_off),
        cmocka_unit_test(heads_that_are_too_long),
        cmocka_unit_test(kept_connections_that_end),
        cmocka_unit_test(a_kept_connection_that_ends_in_the_first_line),
        cmocka_unit_test(what_changes_something_leaves_no_connection),
        cmocka_unit_test(no_descriptor_is_free),
        cmocka_unit_test(early_replies),
        cmocka_unit_test(a_client_that_sends_to_nobody),
        cmocka_unit_test(an_end_that_comes_with_the_clients_bytes),
        cmocka_unit_test(a_kept_connection_that_ends_late),
    };
    return cmocka_run_group_tests(tests, start, end);
}
