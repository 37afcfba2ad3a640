/* lib_reply: what is written for which reply, byte for byte, and what is left out. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "lib/connection.h"
#include "lib/reply.h"
#include "lib/request.h"
#include "lib/route.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define ID "X-Request-ID: id-1\r\n"
#define JSON "Content-Type: application/json\r\n"

/* A connection that keeps what is written, until `room` bytes. */
static struct sink {
    struct connection connection;
    char bytes[4096];
    size_t len, room;
    int flushes;
} sink;

static struct arena arena;
static struct request request;
static struct reply reply;

static bool write_sink(struct connection *connection, const char *bytes, size_t len)
{
    (void)connection;
    if (len > sink.room - sink.len)
        return false;
    memcpy(sink.bytes + sink.len, bytes, len);
    sink.len += len;
    return true;
}

static bool flush_sink(struct connection *connection)
{
    (void)connection;
    sink.flushes++;
    return true;
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static void begin(const char *method)
{
    sink.len = 0;
    sink.flushes = 0;
    sink.room = sizeof(sink.bytes) - 1;
    sink.connection = (struct connection){ .write = write_sink, .flush = flush_sink };
    request = (struct request){ .arena = &arena,
        .id = "id-1",
        .method = method,
        .is_head = strcmp(method, "HEAD") == 0,
        .connection = &sink.connection };
    reply_init(&reply, &request);
}

static void assert_sent(const char *expected)
{
    sink.bytes[sink.len] = 0;
    assert_string_equal(sink.bytes, expected);
}

static void whole_replies(void **state)
{
    static const struct {
        const char *method;
        int status;
        const char *body, *expected;
        uint64_t sent;
    } cases[] = {
        { "GET", 200, "hello", "Status: 200 OK\r\nA: b\r\n" ID "Content-Length: 5\r\n\r\nhello",
            5 },
        { "GET", 404, "", "Status: 404 Not Found\r\nA: b\r\n" ID "Content-Length: 0\r\n\r\n", 0 },
        { "GET", 299, "x", "Status: 299 \r\nA: b\r\n" ID "Content-Length: 1\r\n\r\nx", 1 },
        { "HEAD", 200, "hello", "Status: 200 OK\r\nA: b\r\n" ID "Content-Length: 5\r\n\r\n", 0 },
        { "GET", 204, "hello", "Status: 204 No Content\r\nA: b\r\n" ID "\r\n", 0 },
        { "GET", 304, "hello", "Status: 304 Not Modified\r\nA: b\r\n" ID "\r\n", 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(cases[i].method);
        reply_field(&reply, "A", STR("b"));
        reply.body = str_of(cases[i].body);
        assert_int_equal(reply_finish(&reply, cases[i].status), cases[i].status);
        assert_sent(cases[i].expected);
        assert_int_equal(reply.sent, cases[i].sent);
        assert_true(reply.is_started);
    }
}

static void statuses_that_are_none(void **state)
{
    static const int cases[] = { 0, -1, 100, 199, 600, 20000 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin("GET");
        reply_field(&reply, "A", STR("b"));
        assert_int_equal(reply_finish(&reply, cases[i]), 500);
        assert_memory_equal(sink.bytes, "Status: 500 Internal Server Error\r\n" JSON, 34);
    }
}

static void fields_cannot_smuggle(void **state)
{
    static const struct {
        const char *name;
        struct str value;
        const char *expected;
    } cases[] = {
        { "A", STR("b"), "A: b\r\n" },
        { "A", STR(""), "A: \r\n" },
        { "A", { NULL, 0 }, "A: \r\n" },
        { "A", STR("b\r\nEvil: 1"), "A: b\r\n" },
        { "A", STR("b\nEvil: 1"), "A: b\r\n" },
        { "A", STR("b\rEvil"), "A: b\r\n" },
        { "A", STR("b\0Evil"), "A: b\r\n" },
        { "A", STR("b\tc \xc3\xa9"), "A: b\tc \xc3\xa9\r\n" },
        { "A\r\nEvil", STR("1"), "" },
        { "A\nEvil", STR("1"), "" },
        { "A:", STR("1"), "" },
        { "A B", STR("1"), "" },
        { "", STR("1"), "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin("GET");
        reply_field(&reply, cases[i].name, cases[i].value);
        assert_true(str_is(buf_as_str(&reply.fields), cases[i].expected));
    }
}

static void fields_are_taken_away(void **state)
{
    static const struct {
        const char *name, *expected;
    } cases[] = {
        { "X-One", "X-Two: X-One: 1\r\nX-One-More: 3\r\n" },
        { "x-TWO", "X-One: 1\r\nX-One-More: 3\r\nx-one: 4\r\n" },
        { "X-One-More", "X-One: 1\r\nX-Two: X-One: 1\r\nx-one: 4\r\n" },
        { "X", "X-One: 1\r\nX-Two: X-One: 1\r\nX-One-More: 3\r\nx-one: 4\r\n" },
        { "", "X-One: 1\r\nX-Two: X-One: 1\r\nX-One-More: 3\r\nx-one: 4\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin("GET");
        reply_remove_field(&reply, "X-One");
        reply_field(&reply, "X-One", STR("1"));
        reply_field(&reply, "X-Two", STR("X-One: 1"));
        reply_field(&reply, "X-One-More", STR("3"));
        reply_field(&reply, "x-one", STR("4"));
        reply_remove_field(&reply, cases[i].name);
        assert_string_equal(buf_as_text(&reply.fields), cases[i].expected);
    }
}

static void errors(void **state)
{
    static const struct {
        const char *error, *message, *expected;
    } cases[] = {
        { "User not found", NULL, "{\"error\":\"User not found\"}" },
        { "a", "b", "{\"error\":\"a\",\"message\":\"b\"}" },
        { "\"\n", "caf\xc3\xa9", "{\"error\":\"\\\"\\n\",\"message\":\"caf\xc3\xa9\"}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin("GET");
        assert_int_equal(reply_error(&reply, 418, cases[i].error, cases[i].message), 418);
        assert_true(str_is(reply.body, cases[i].expected));
        assert_true(str_is(buf_as_str(&reply.fields), JSON));
    }
}

static void fields_that_last(void **state)
{
    (void)state;
    begin("GET");
    reply_field(&reply, "Vary", STR("a"));
    reply_lasting_field(&reply, "Vary", STR("b\r\nX: 1"));
    reply_remove_field(&reply, "Vary");
    reply_field(&reply, "X-A", STR("1"));
    reply.body = STR("{}");
    assert_int_equal(reply_finish(&reply, 200), 200);
    assert_sent("Status: 200 OK\r\nVary: b\r\nX-A: 1\r\n" ID "Content-Length: 2\r\n\r\n{}");
    begin("HEAD");
    reply_field(&reply, "X-A", STR("1"));
    reply_lasting_field(&reply, "Vary", STR("b"));
    assert_int_equal(reply_finish(&reply, 0), 500);
    assert_non_null(strstr(sink.bytes, "\r\nVary: b\r\n" JSON));
    assert_null(strstr(sink.bytes, "X-A"));
}

static int write_other(struct reply *other, int status, const char *error, const char *message)
{
    reply_field(other, "X-Errors", str_of(other->errors));
    other->body = str_of(message ? message : error);
    return status + 1;
}

static void errors_of_the_programs_own(void **state)
{
    (void)state;
    begin("GET");
    reply.write_error = write_other;
    reply.errors = "mine";
    assert_int_equal(reply_error(&reply, 418, "a", "b"), 419);
    assert_true(str_is(reply.body, "b"));
    assert_true(str_is(buf_as_str(&reply.fields), "X-Errors: mine\r\n"));
    assert_int_equal(reply_method_not_allowed(&reply, 0), 406);
    assert_true(str_is(reply.body, "Method not allowed"));
}

static void wrong_methods(void **state)
{
    (void)state;
    begin("DELETE");
    unsigned allow = 1u << METHOD_GET | 1u << METHOD_HEAD;
    assert_int_equal(reply_method_not_allowed(&reply, allow), 405);
    assert_true(str_is(buf_as_str(&reply.fields), "Allow: GET, HEAD\r\n" JSON));
    assert_true(str_is(reply.body, "{\"error\":\"Method not allowed\"}"));
}

static void streams(void **state)
{
    (void)state;
    begin("GET");
    reply_field(&reply, "A", STR("b"));
    assert_true(reply_start(&reply, 200));
    assert_true(reply_write(&reply, "one", 3));
    assert_true(reply_flush(&reply));
    assert_true(reply_write(&reply, "", 0));
    assert_true(reply_write(&reply, "two", 3));
    assert_int_equal(reply_finish(&reply, 200), 200);
    assert_sent("Status: 200 OK\r\nA: b\r\n" ID "\r\nonetwo");
    assert_int_equal(reply.sent, 6);
    assert_int_equal(sink.flushes, 1);
}

static void streams_without_a_body(void **state)
{
    static const struct {
        const char *method;
        int status;
        const char *expected;
    } cases[] = {
        { "HEAD", 200, "Status: 200 OK\r\n" ID "\r\n" },
        { "GET", 204, "Status: 204 No Content\r\n" ID "\r\n" },
        { "GET", 304, "Status: 304 Not Modified\r\n" ID "\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(cases[i].method);
        assert_true(reply_start(&reply, cases[i].status));
        assert_true(reply_write(&reply, "body", 4));
        reply_finish(&reply, cases[i].status);
        assert_sent(cases[i].expected);
        assert_int_equal(reply.sent, 0);
    }
}

/* Whatever write fails, the next step is told, and nothing is written behind the gap. */
static void clients_that_left(void **state)
{
    (void)state;
    begin("GET");
    sink.room = 60;
    assert_true(reply_start(&reply, 200));
    assert_false(reply_write(&reply, sink.bytes, 61));
    assert_int_equal(reply.sent, 0);

    for (size_t room = 0; room < strlen("Status: 200 OK\r\n" ID "\r\n"); room++) {
        begin("GET");
        sink.room = room;
        assert_false(reply_start(&reply, 200));
    }
}

static void crashes(void **state)
{
    static const struct {
        const char *method, *id, *id_sent, *body;
    } cases[] = {
        { "GET", "id-1", "id-1", "{\"error\":\"Internal Server Error\"}" },
        { "HEAD", "id-1", "id-1", "" },
        { "GET", "over\nwritten", "-", "{\"error\":\"Internal Server Error\"}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char expected[256];
        begin(cases[i].method);
        request.id = cases[i].id;
        reply_crash(&reply);
        snprintf(expected, sizeof(expected),
            "Status: 500 Internal Server Error\r\n" JSON
            "X-Request-ID: %s\r\nContent-Length: 33\r\n\r\n%s",
            cases[i].id_sent, cases[i].body);
        assert_sent(expected);
    }
    begin("GET");
    reply.crash_body = STR("{}");
    reply_crash(&reply);
    assert_sent("Status: 500 Internal Server Error\r\n" JSON ID "Content-Length: 2\r\n\r\n{}");
}

static void reasons(void **state)
{
    (void)state;
    assert_string_equal(reply_reason(200), "OK");
    assert_string_equal(reply_reason(507), "Insufficient Storage");
    assert_string_equal(reply_reason(0), "");
    assert_string_equal(reply_reason(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_replies),
        cmocka_unit_test(statuses_that_are_none),
        cmocka_unit_test(fields_cannot_smuggle),
        cmocka_unit_test(fields_are_taken_away),
        cmocka_unit_test(errors),
        cmocka_unit_test(fields_that_last),
        cmocka_unit_test(errors_of_the_programs_own),
        cmocka_unit_test(wrong_methods),
        cmocka_unit_test(streams),
        cmocka_unit_test(streams_without_a_body),
        cmocka_unit_test(clients_that_left),
        cmocka_unit_test(crashes),
        cmocka_unit_test(reasons),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
