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
};

struct connection {
    int fd; /* -1: closed */
    char got[REQUEST_MAX];
    size_t got_len;
    const struct answer *answer; /* that it is about to send, or NULL */
    size_t sent;
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
        if (connection->fd >= 0 && !connection->answer)
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

/* One exchange from its beginning to its end. */
static void exchange(struct transferer *transferer, struct call *call, enum way way)
{
    struct address address = address_by(way);
    long long until_us = log_clock_us() + PATIENCE_MS * 1000LL;
    struct transfer_terms terms = {
        .address = &address, .host = STR("test"), .first_us = until_us, .left_ms = PATIENCE_MS
    };
    struct call *ended = NULL;
    transfer_start(transferer, call, &terms);
    while (!ended && log_clock_us() < until_us) {
        serve();
        ended = transfer_next(transferer, log_clock_us() + TURN_US);
    }
    if (!ended)
        transfer_cancel(transferer, call);
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
#define TOO_LONG "broken: The reply is too long"
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
    const struct answer answers[] = { { check->reply, check->after },
        { STR("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"), KEEP } };
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
    };
    return cmocka_run_group_tests(tests, start, end);
}
