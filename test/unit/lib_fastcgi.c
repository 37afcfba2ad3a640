/* lib_fastcgi: however a request is cut into pieces, it is the same; and what is none harms
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/fastcgi.h"
#include "lib/record.h"
#include "lib/watcher.h"

enum { WEB, OWN };

static struct watcher *watcher;
static struct fastcgi *fastcgi;

static int set_up(void **state)
{
    (void)state;
    watcher = watcher_new();
    fastcgi = fastcgi_new(watcher);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fastcgi_free(fastcgi);
    watcher_free(watcher);
    return 0;
}

/* --- what a web server writes --- */

struct bytes {
    char at[4096];
    size_t len;
};

static void put(struct bytes *to, int type, int id, const char *content, size_t len)
{
    char *end = record_put_head(to->at + to->len, type, (unsigned)id, len);
    memcpy(end, content, len);
    to->len = (size_t)(end - to->at) + len;
}

static void put_begin(struct bytes *to, int id, int role)
{
    const char content[] = { 0, (char)role, 0, 0, 0, 0, 0, 0 };
    put(to, RECORD_BEGIN, id, content, sizeof content);
}

static void put_text(struct bytes *to, int type, const char *text)
{
    put(to, type, 1, text, strlen(text));
}

#define PAIRS                                                                                      \
    "\1\1"                                                                                         \
    "AB"                                                                                           \
    "\4\0"                                                                                         \
    "NONE"                                                                                         \
    "\3\2"                                                                                         \
    "LOWit"

/* A request with three variables and a body of eight bytes. */
static struct bytes make_request(void)
{
    struct bytes request = { .len = 0 };
    put_begin(&request, 1, 1);
    put(&request, RECORD_PARAMS, 1, PAIRS, sizeof PAIRS - 1);
    put_text(&request, RECORD_PARAMS, "");
    put_text(&request, RECORD_STDIN, "12345");
    put_text(&request, RECORD_STDIN, "678");
    put_text(&request, RECORD_STDIN, "");
    return request;
}

/* --- what comes of it --- */

static void check_variables(char **variables)
{
    assert_string_equal(variables[0], "A=B");
    assert_string_equal(variables[1], "NONE=");
    assert_string_equal(variables[2], "LOW=it");
    assert_null(variables[3]);
}

static void check_body(struct connection *connection)
{
    char body[64];
    size_t len = 0;
    connection->body_left = 8;
    while (len < 8) {
        ssize_t got = connection->read(connection, body + len, sizeof body - len);
        assert_true(got > 0);
        len += (size_t)got;
    }
    connection->body_left = 0;
    assert_memory_equal(body, "12345678", 8);
    assert_int_equal(connection->read(connection, body, sizeof body), 0);
}

static void end(int pair[2])
{
    fastcgi_end(fastcgi, false);
    fastcgi_close(fastcgi, false);
    close(pair[WEB]);
}

/* Sockets of this type keep the pieces apart. */
static void check_pieces(const struct bytes *request, const size_t *ends, size_t count)
{
    int pair[2];
    char **variables;
    size_t from = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    for (size_t i = 0; i < count; from = ends[i++]) {
        if (ends[i] > from)
            assert_true(write(pair[WEB], request->at + from, ends[i] - from) > 0);
    }
    struct connection *connection = fastcgi_open(fastcgi, pair[OWN], -1, &variables);
    assert_non_null(connection);
    check_variables(variables);
    check_body(connection);
    end(pair);
}

static void however_it_is_cut_it_is_the_same(void **state)
{
    (void)state;
    struct bytes request = make_request();
    size_t all[sizeof request.at];
    for (size_t i = 0; i < request.len; i++)
        all[i] = i + 1;
    check_pieces(&request, all, request.len);
    for (size_t first = 1; first < request.len; first++) {
        for (size_t second = first; second <= request.len; second += 7) {
            const size_t ends[] = { first, second, request.len };
            check_pieces(&request, ends, 3);
        }
    }
}

static void variables_of_several_records(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < sizeof PAIRS - 1; cut++) {
        struct bytes request = { .len = 0 };
        put_begin(&request, 1, 1);
        put(&request, RECORD_PARAMS, 1, PAIRS, cut);
        put(&request, RECORD_PARAMS, 1, &PAIRS[cut], sizeof PAIRS - 1 - cut);
        put_text(&request, RECORD_PARAMS, "");
        put_text(&request, RECORD_STDIN, "12345678");
        put_text(&request, RECORD_STDIN, "");
        check_pieces(&request, &request.len, 1);
    }
}

/* Padding, what is of no request, and a second request on the same connection. */
static void what_is_not_ours_is_answered_and_left(void **state)
{
    (void)state;
    struct bytes request = { .len = 0 }, expected = { .len = 0 };
    int pair[2];
    char **variables, answers[256];
    put(&request, RECORD_VALUES, 0, "\x0e\0FCGI_MAX_CONNS", 16);
    put_begin(&request, 1, 1);
    put(&request, 77, 0, "what?", 5);
    char *padded = request.at + request.len;
    put(&request, RECORD_PARAMS, 1, PAIRS "!!!", sizeof PAIRS + 2);
    padded[5] = sizeof PAIRS - 1;
    padded[6] = 3;
    put_begin(&request, 2, 1);
    put(&request, RECORD_PARAMS, 2, "\1\1XY", 4);
    put_text(&request, RECORD_PARAMS, "");
    put_text(&request, RECORD_STDIN, "12345678");
    put_text(&request, RECORD_STDIN, "");

    put(&expected, RECORD_VALUES_RESULT, 0, "", 0);
    put(&expected, RECORD_UNKNOWN, 0, "\x4d\0\0\0\0\0\0", 8);
    put(&expected, RECORD_END, 2, "\0\0\0\0\1\0\0", 8);
    put(&expected, RECORD_STDOUT, 1, "", 0);
    put(&expected, RECORD_END, 1, "\0\0\0\0\0\0\0", 8);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_true(write(pair[WEB], request.at, request.len) == (ssize_t)request.len);
    struct connection *connection = fastcgi_open(fastcgi, pair[OWN], -1, &variables);
    assert_non_null(connection);
    check_variables(variables);
    check_body(connection);
    fastcgi_end(fastcgi, false);
    fastcgi_close(fastcgi, false);
    assert_int_equal(recv(pair[WEB], answers, sizeof answers, MSG_WAITALL), expected.len);
    assert_memory_equal(answers, expected.at, expected.len);
    close(pair[WEB]);
}

static void check_none(const struct bytes *request, const char *answer, size_t len)
{
    int pair[2];
    char **variables, answers[64];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_true(write(pair[WEB], request->at, request->len) == (ssize_t)request->len);
    shutdown(pair[WEB], SHUT_WR);
    assert_null(fastcgi_open(fastcgi, pair[OWN], -1, &variables));
    assert_int_equal(recv(pair[WEB], answers, sizeof answers, MSG_WAITALL), len);
    if (len > 0)
        assert_memory_equal(answers, answer, len);
    close(pair[WEB]);
}

static void what_is_no_request_is_closed(void **state)
{
    (void)state;
    struct bytes request = make_request(), other = { .len = 0 };
    for (size_t len = 0; len < 16 + 8 + sizeof PAIRS - 1 + 8; len++) {
        struct bytes part = request;
        part.len = len;
        check_none(&part, "", 0);
    }
    put_begin(&other, 1, 2); /* an authorizer */
    check_none(&other, "\1\3\0\1\0\x8\0\0\0\0\0\0\3\0\0", 16);
    memcpy(other.at, "GET / HTTP/1.1\r\n\r\n", other.len = 18);
    check_none(&other, "", 0);
    other.len = 0;
    put_begin(&other, 1, 1);
    put_text(&other, RECORD_ABORT, "");
    check_none(&other, "", 0);
    static const char *const bad[] = { "\5", "\5\5ABC", "\1\x80", "\1\x80\1\1\1A" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        other.len = 0;
        put_begin(&other, 1, 1);
        put_text(&other, RECORD_PARAMS, bad[i]);
        put_text(&other, RECORD_PARAMS, "");
        check_none(&other, "", 0);
    }
}

/* --- long ones --- */

#define LONG_LEN 300000
#define TOO_LONG_LEN 3000000

struct long_request {
    int fd;
    char *bytes;
    size_t len;
};

static void *write_long(void *context)
{
    struct long_request *request = context;
    for (size_t at = 0; at < request->len;) {
        ssize_t wrote = send(request->fd, request->bytes + at, request->len - at, MSG_NOSIGNAL);
        if (wrote <= 0)
            break;
        at += (size_t)wrote;
    }
    shutdown(request->fd, SHUT_WR);
    return NULL;
}

/* One variable, in records of 60,000 bytes. */
static void put_long(struct long_request *request, size_t value_len)
{
    char *pairs = malloc(value_len + 6), *end;
    struct bytes small = { .len = 0 };
    const size_t len = value_len + 6;
    memset(pairs, 'v', len);
    memcpy(pairs,
        (char[]){ 1, (char)(0x80 | value_len >> 24), (char)(value_len >> 16),
            (char)(value_len >> 8), (char)value_len, 'L' },
        6);
    put_begin(&small, 1, 1);
    end = request->bytes = malloc(len + 4096);
    memcpy(end, small.at, small.len);
    end += small.len;
    for (size_t at = 0; at < len;) {
        size_t part = len - at < 60000 ? len - at : 60000;
        end = record_put_head(end, RECORD_PARAMS, 1, part);
        memcpy(end, pairs + at, part);
        end += part;
        at += part;
    }
    end = record_put_head(end, RECORD_PARAMS, 1, 0);
    end = record_put_head(end, RECORD_STDIN, 1, 0);
    request->len = (size_t)(end - request->bytes);
    free(pairs);
}

static void check_long(size_t len, bool is_taken)
{
    struct long_request request;
    pthread_t writer;
    int pair[2];
    char **variables;
    put_long(&request, len);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    request.fd = pair[WEB];
    pthread_create(&writer, NULL, write_long, &request);
    struct connection *connection = fastcgi_open(fastcgi, pair[OWN], -1, &variables);
    assert_int_equal(connection != NULL, is_taken);
    if (is_taken) {
        assert_int_equal(strlen(variables[0]), len + 2);
        assert_null(variables[1]);
        fastcgi_end(fastcgi, false);
        fastcgi_close(fastcgi, false);
    }
    close(pair[WEB]);
    pthread_join(writer, NULL);
    free(request.bytes);
}

static void a_long_variable_is_taken_up_to_a_bound(void **state)
{
    (void)state;
    check_long(127, true);
    check_long(16 * 1024, true);
    check_long(LONG_LEN, true);
    check_long(TOO_LONG_LEN, false);
    check_long(127, true);
}

static void reply_of(size_t len, size_t piece)
{
    int pair[2];
    char **variables, *bytes = malloc(len + 1024), *content = malloc(len + 1);
    struct bytes request = make_request();
    size_t at = 0, taken = 0;
    ssize_t got;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_true(write(pair[WEB], request.at, request.len) == (ssize_t)request.len);
    struct connection *connection = fastcgi_open(fastcgi, pair[OWN], -1, &variables);
    memset(content, 'x', len);
    for (size_t done = 0; done < len; done += piece)
        assert_true(
            connection->write(connection, content + done, piece < len - done ? piece : len - done));
    end((int[]){ -1, -1 });
    while ((got = read(pair[WEB], bytes + at, len + 1024 - at)) > 0)
        at += (size_t)got;
    for (size_t i = 0; i < at;) {
        struct record record;
        assert_true(record_read(&record, bytes + i));
        i += RECORD_HEAD_SIZE + record.content + record.padding;
        if (record.type == RECORD_STDOUT)
            taken += record.content;
        assert_int_equal(i == at, record.type == RECORD_END);
    }
    assert_int_equal(taken, len);
    close(pair[WEB]);
    free(bytes);
    free(content);
}

static void a_reply_arrives_whole_however_it_is_written(void **state)
{
    (void)state;
    static const size_t lens[] = { 0, 1, 8191, 8192, 8193, 65528, 65529, 150000 },
                        pieces[] = { 1000, 8192, 8193, 65000, 150000 };
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++)
            reply_of(lens[i], pieces[k]);
}

/* --- the client's end --- */

/* Whoever looks at a connection may have a descriptor of it for a moment. */
static void the_end_of_a_connection_is_not_that_of_the_next(void **state)
{
    (void)state;
    struct bytes request = { .len = 0 };
    int first[2], second[2];
    char **variables;
    put_begin(&request, 1, 1);
    put_text(&request, RECORD_PARAMS, "");
    put_text(&request, RECORD_STDIN, "");

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, first), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, second), 0);
    assert_true(write(first[WEB], request.at, request.len) > 0);
    assert_true(write(second[WEB], request.at, request.len) > 0);
    struct connection *connection = fastcgi_open(fastcgi, first[OWN], -1, &variables);
    assert_non_null(connection);
    assert_null(variables[0]);
    assert_true(connection->gone_fd(connection) >= 0);
    assert_false(connection->is_gone(connection));
    int others = dup(first[OWN]);
    end(first);

    connection = fastcgi_open(fastcgi, second[OWN], -1, &variables);
    assert_non_null(connection);
    assert_false(connection->is_gone(connection));
    shutdown(second[WEB], SHUT_WR);
    assert_true(connection->is_gone(connection));
    end(second);
    close(others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_it_is_cut_it_is_the_same),
        cmocka_unit_test(variables_of_several_records),
        cmocka_unit_test(what_is_not_ours_is_answered_and_left),
        cmocka_unit_test(what_is_no_request_is_closed),
        cmocka_unit_test(a_long_variable_is_taken_up_to_a_bound),
        cmocka_unit_test(a_reply_arrives_whole_however_it_is_written),
        cmocka_unit_test(the_end_of_a_connection_is_not_that_of_the_next),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
