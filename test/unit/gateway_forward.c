/* gateway_forward: what crosses the gateway, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/forward.h"

static struct arena arena;

/* The fields as "Name: value\n" lines. */
static const char *lines(const struct call_field *field)
{
    struct buf out;
    buf_init(&out, &arena);
    for (; field; field = field->next) {
        buf_str(&out, field->name);
        buf_text(&out, ": ");
        buf_str(&out, field->value);
        buf_char(&out, '\n');
    }
    return buf_as_text(&out);
}

struct request_check {
    const char *variables[8];
    const char *expected;
};

static void requests(void **state)
{
    static const struct request_check checks[] = {
        { { NULL }, "X-Forwarded-Proto: http\nVia: 1.1 gw\nX-Request-ID: id\n" },
        { { "REMOTE_ADDR=10.0.0.1", "REQUEST_SCHEME=https", "HTTP_HOST=a.b:1",
              "SERVER_PROTOCOL=HTTP/2.0" },
            "X-Forwarded-For: 10.0.0.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: a.b:1\n"
            "Via: 2.0 gw\nX-Request-ID: id\n" },
        { { "REMOTE_ADDR=10.0.0.1", "HTTP_X_FORWARDED_FOR=1.2.3.4", "HTTP_VIA=1.0 old",
              "HTTP_X_FORWARDED_PROTO=gopher", "HTTP_X_FORWARDED_HOST=evil",
              "HTTP_X_REQUEST_ID=other" },
            "X-Forwarded-For: 1.2.3.4, 10.0.0.1\nX-Forwarded-Proto: http\n"
            "Via: 1.0 old, 1.1 gw\nX-Request-ID: id\n" },
        { { "HTTP_ACCEPT=a/b", "HTTP_X_PRIVATE=1", "HTTP_X_OTHER=2",
              "HTTP_CONNECTION=close ,x-private", "HTTP_KEEP_ALIVE=1", "HTTP_TE=trailers" },
            "Accept: a/b\nX-Other: 2\nX-Forwarded-Proto: http\nVia: 1.1 gw\nX-Request-ID: id\n" },
        { { "HTTP_UPGRADE=x", "HTTP_TRANSFER_ENCODING=chunked", "HTTP_PROXY=evil",
              "HTTP_EXPECT=100-continue", "HTTP_PROXY_AUTHORIZATION=x", "CONTENT_TYPE=text/x" },
            "Content-Type: text/x\nX-Forwarded-Proto: http\nVia: 1.1 gw\nX-Request-ID: id\n" },
        { { "HTTP_CONNECTION=Content-Type, X-Forwarded-For", "CONTENT_TYPE=text/x",
              "HTTP_X_FORWARDED_FOR=9.9.9.9", "REMOTE_ADDR=10.0.0.1" },
            "X-Forwarded-For: 10.0.0.1\nX-Forwarded-Proto: http\nVia: 1.1 gw\nX-Request-ID: id\n" },
        { { "HTTP_CONTENT_LENGTH=3", "HTTP_CONTENT_TYPE=evil/x", "HTTP_PROXY_CONNECTION=x",
              "HTTP_HTTP2_SETTINGS=x" },
            "X-Forwarded-Proto: http\nVia: 1.1 gw\nX-Request-ID: id\n" },
        { { "HTTP_IF_NONE_MATCH=\"a\"", "HTTP_X_EMPTY=", "HTTP_X_BAD=a\nX-Evil: 1", "HTTP_=x" },
            "If-None-Match: \"a\"\nX-Empty: \nX-Forwarded-Proto: http\nVia: 1.1 gw\n"
            "X-Request-ID: id\n" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct request request = {
            .arena = &arena,
            .id = "id",
            .variables = (char **)checks[i].variables,
        };
        assert_string_equal(lines(forward_request(&request, STR("gw"))), checks[i].expected);
    }
}

struct reply_check {
    const char *fields[6][2];
    unsigned also;
    const char *expected;
};

static void replies(void **state)
{
    static const struct reply_check checks[] = {
        { { { "Content-Type", "a/b" }, { "Content-Length", "3" }, { "ETag", "\"x\"" } },
            FORWARD_LENGTH, "Content-Type: a/b\r\nContent-Length: 3\r\nETag: \"x\"\r\n" },
        { { { "Content-Type", "a/b" }, { "Content-Length", "3" } }, 0, "Content-Type: a/b\r\n" },
        { { { "Set-Cookie", "a=1" }, { "Set-Cookie", "b=2" } }, FORWARD_LENGTH,
            "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" },
        { { { "X-Private", "1" }, { "connection", "close, X-Private" }, { "X-Other", "2" } },
            FORWARD_LENGTH, "X-Other: 2\r\n" },
        { { { "Transfer-Encoding", "chunked" }, { "Content-Length", "3" } }, FORWARD_LENGTH, "" },
        { { { "X-Accel-Redirect", "/etc" }, { "x-sendfile2", "/etc" }, { "X-Accel", "1" } },
            FORWARD_LENGTH, "X-Accel: 1\r\n" },
        { { { "Status", "500" }, { "X-Request-ID", "x" }, { "Trailer", "X" },
              { "Upgrade", "h2c" } },
            FORWARD_LENGTH, "" },
        { { { "Access-Control-Allow-Origin", "*" }, { "access-control-max-age", "1" },
              { "X-A", "1" } },
            0, "X-A: 1\r\n" },
        { { { "Access-Control-Allow-Origin", "*" }, { "X-A", "1" } }, FORWARD_CORS,
            "Access-Control-Allow-Origin: *\r\nX-A: 1\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct request request = { .arena = &arena };
        struct reply reply = { .request = &request };
        struct call call = { 0 };
        struct call_field fields[6] = { 0 };
        for (unsigned j = 0; j < 6 && checks[i].fields[j][0]; j++) {
            fields[j].name = str_of(checks[i].fields[j][0]);
            fields[j].value = str_of(checks[i].fields[j][1]);
            if (j)
                fields[j - 1].next = &fields[j];
        }
        call.first_field = fields;
        buf_init(&reply.fields, &arena);
        forward_reply(&call, &reply, checks[i].also);
        assert_string_equal(buf_as_text(&reply.fields), checks[i].expected);
    }
}

static int end(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(replies),
    };
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, end);
}
