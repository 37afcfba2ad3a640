/* gateway_head: status lines and header lines of a reply, and which of them nobody must pass on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/head.h"
#include "lib/buf.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct arena arena;

struct status_check {
    struct str line;
    int status, minor; /* status 0: this is no status line */
};

static void status_lines(void **state)
{
    static const struct status_check checks[] = {
        { STR("HTTP/1.1 200 OK\r\n"), 200, 1 },
        { STR("HTTP/1.1 200 OK\n"), 200, 1 },
        { STR("HTTP/1.0 404 Not Found\r\n"), 404, 0 },
        { STR("HTTP/1.9 200 OK\r\n"), 200, 9 }, /* as 1.1: RFC 9110 section 2.5 */
        { STR("HTTP/1.1 200\r\n"), 200, 1 },    /* without its blank: many do so */
        { STR("HTTP/1.1 200 \r\n"), 200, 1 },
        { STR("HTTP/1.1 200\n"), 200, 1 },
        { STR("HTTP/1.1 200"), 200, 1 },
        { STR("HTTP/1.1 200 a: b, c\tHTTP/1.1 500 \xff\r\n"), 200, 1 },
        { STR("HTTP/1.1 100 Continue\r\n"), 100, 1 },
        { STR("HTTP/1.1 101 Switching Protocols\r\n"), 101, 1 },
        { STR("HTTP/1.1 999 ?\r\n"), 999, 1 },
        { STR("HTTP/1.1 099 ?\r\n"), 0, 0 },
        { STR("HTTP/1.1 000 ?\r\n"), 0, 0 },
        { STR("HTTP/1.1 99 ?\r\n"), 0, 0 },
        { STR("HTTP/1.1 1000 ?\r\n"), 0, 0 },
        { STR("HTTP/1.1 2000\r\n"), 0, 0 },
        { STR("HTTP/1.1 200OK\r\n"), 0, 0 },
        { STR("HTTP/1.1 200.5 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1 200\0 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1 200 O\0K\r\n"), 0, 0 },
        { STR("HTTP/1.1 200 O\rK\r\n"), 0, 0 },
        { STR("HTTP/1.1 200\r\r\n"), 0, 0 },
        { STR("HTTP/1.1\t200 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1  200 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1 +20 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1 -20 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1  20 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1 0x2 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1 2 0 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1 OK\r\n"), 0, 0 },
        { STR("HTTP/1.1\r\n"), 0, 0 },
        { STR("HTTP/1 200 OK\r\n"), 0, 0 },
        { STR("HTTP/1.10 200 OK\r\n"), 0, 0 },
        { STR("HTTP/11 200 OK\r\n"), 0, 0 },
        { STR("HTTP/1.x 200 OK\r\n"), 0, 0 },
        { STR("HTTP/2.0 200 OK\r\n"), 0, 0 },
        { STR("HTTP/2 200\r\n"), 0, 0 },
        { STR("HTTP/0.9 200 OK\r\n"), 0, 0 },
        { STR("http/1.1 200 OK\r\n"), 0, 0 },
        { STR(" HTTP/1.1 200 OK\r\n"), 0, 0 },
        { STR("ICY 200 OK and so on\r\n"), 0, 0 },
        { STR("220 mail.example ESMTP\r\n"), 0, 0 },
        { STR("\r\n"), 0, 0 },
        { STR("\n"), 0, 0 },
        { STR(""), 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        int status = 0, minor = 0;
        bool is_one = head_status(checks[i].line, &status, &minor);
        if (is_one != (checks[i].status > 0) ||
            (is_one && (status != checks[i].status || minor != checks[i].minor)))
            fail_msg("'%s': %d, status %d, minor %d", checks[i].line.at, is_one, status, minor);
    }
}

struct line_check {
    struct str line;
    const char *name, *value; /* NULL: HEAD_BAD */
};

static void header_lines(void **state)
{
    static const struct line_check checks[] = {
        { STR("A: b\r\n"), "A", "b" },
        { STR("A: b\n"), "A", "b" },
        { STR("a:b\r\n"), "a", "b" },
        { STR("A: \t b c \t \r\n"), "A", "b c" },
        { STR("A: b: c\r\n"), "A", "b: c" },
        { STR("A:\r\n"), "A", "" },
        { STR("A:   \r\n"), "A", "" },
        { STR("A: \xc3\xbc\x80\r\n"), "A", "\xc3\xbc\x80" },
        { STR("A: b\vc\x7f\r\n"), "A", "b\vc\x7f" },
        { STR("!#$%&'*+-.^_`|~09azAZ: b\r\n"), "!#$%&'*+-.^_`|~09azAZ", "b" },
        /* No name, or one that is not a token. */
        { STR("A b\r\n"), NULL, NULL },
        { STR(": b\r\n"), NULL, NULL },
        { STR("A : b\r\n"), NULL, NULL },
        { STR("A\t: b\r\n"), NULL, NULL },
        { STR("A B: b\r\n"), NULL, NULL },
        { STR("A\0: b\r\n"), NULL, NULL },
        { STR("A\x7f: b\r\n"), NULL, NULL },
        { STR("A\v: b\r\n"), NULL, NULL },
        { STR("A\r: b\r\n"), NULL, NULL },
        { STR("A/B: b\r\n"), NULL, NULL },
        { STR("\"A\": b\r\n"), NULL, NULL },
        { STR("A,B: b\r\n"), NULL, NULL },
        { STR("A(B): b\r\n"), NULL, NULL },
        { STR("A\xc3\xbc: b\r\n"), NULL, NULL },
        { STR("\xef\xbb\xbf"
              "A: b\r\n"),
            NULL, NULL },
        { STR("HTTP/1.1 200 OK: b\r\n"), NULL, NULL },
        /* What goes on with the line before, for somebody. */
        { STR(" A: b\r\n"), NULL, NULL },
        { STR("\tA: b\r\n"), NULL, NULL },
        { STR(" \r\n"), NULL, NULL },
        { STR("\t\n"), NULL, NULL },
        { STR("\rA: b\r\n"), NULL, NULL },
        { STR("\vA: b\r\n"), NULL, NULL },
        { STR("\0A: b\r\n"), NULL, NULL },
        { STR("\0\r\n"), NULL, NULL },
        { STR("\r\r\n"), NULL, NULL },
        /* What ends a value for somebody. */
        { STR("A: b\0c\r\n"), NULL, NULL },
        { STR("A: b\0\r\n"), NULL, NULL },
        { STR("A: \0\r\n"), NULL, NULL },
        { STR("A: b\rB: c\r\n"), NULL, NULL },
        { STR("A: \rb\r\n"), NULL, NULL },
        { STR("A: b\r\r\n"), NULL, NULL },
        { STR("A: b\r \r\n"), NULL, NULL },
        { STR("A:\r\r\n"), NULL, NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        struct call call = { .arena = &arena };
        enum head_result result = head_line(&call, checks[i].line);
        const struct call_field *field = call.first_field;
        if ((result == HEAD_MORE) != (checks[i].name != NULL) || result == HEAD_END)
            fail_msg("'%s' (%zu): %d", checks[i].line.at, i, result);
        if (field && (!str_is(field->name, checks[i].name) ||
                         !str_is(field->value, checks[i].value) || field->next))
            fail_msg("'%s': '%s' is '%s'", checks[i].line.at, field->name.at, field->value.at);
    }
}

/* What the whole section says. */
static enum head_result read_section(struct call *call, const char *section)
{
    enum head_result result = HEAD_MORE;
    *call = (struct call){ .arena = &arena };
    for (struct str rest = str_of(section); rest.len > 0 && result == HEAD_MORE;) {
        struct str line = str_take(&rest, '\n');
        line.len++;
        result = head_line(call, line);
    }
    return result;
}

static void sections(void **state)
{
    static const struct {
        const char *section;
        enum head_result result;
    } checks[] = {
        { "\r\n", HEAD_END },
        { "\n", HEAD_END },
        { "A: b\r\n\r\n", HEAD_END },
        { "A: b\n\n", HEAD_END },
        { "A: b\r\n", HEAD_MORE },
        { "A: b\r\n c\r\n\r\n", HEAD_BAD },
        { "A: b\r\n\tc\r\n\r\n", HEAD_BAD },
        { " c\r\n\r\n", HEAD_BAD },
        { "Content-Length: 3\r\n\r\n", HEAD_END },
        { "Content-Length: 3\r\ncontent-length: 3\r\n\r\n", HEAD_END },
        { "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", HEAD_BAD },
        { "Content-Length: 4\r\nA: b\r\nContent-Length: 3\r\n\r\n", HEAD_BAD },
        { "Content-Length: 3\r\nContent-Length: 03\r\n\r\n", HEAD_BAD },
        { "Content-Length: 3\r\nContent-Length:\r\n\r\n", HEAD_BAD },
        { "Content-Length: 3, 3\r\n\r\n", HEAD_BAD },
        { "Content-Length: 3 3\r\n\r\n", HEAD_BAD },
        { "Content-Length: +3\r\n\r\n", HEAD_BAD },
        { "Content-Length: -3\r\n\r\n", HEAD_BAD },
        { "Content-Length: 3.0\r\n\r\n", HEAD_BAD },
        { "Content-Length: 0x3\r\n\r\n", HEAD_BAD },
        { "Content-Length: \r\n\r\n", HEAD_BAD },
        { "Content-Length: a\r\n\r\n", HEAD_BAD },
        { "Content-Length : 3\r\n\r\n", HEAD_BAD },
        { "Content-Length: 3\r\n Content-Length: 4\r\n\r\n", HEAD_BAD },
        { "Transfer-Encoding: chunked\r\nContent-Length: a\r\n\r\n", HEAD_BAD },
    };
    struct call call;
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++)
        if (read_section(&call, checks[i].section) != checks[i].result)
            fail_msg("'%s'", checks[i].section);
}

static void fields_stay_in_their_order(void **state)
{
    struct call call;
    (void)state;
    assert_int_equal(read_section(&call, "A: 1\r\nB: 2\r\na: 3\r\n\r\n"), HEAD_END);
    assert_true(str_is(call_field(&call, "A"), "1"));
    assert_true(str_is(call_field(&call, "b"), "2"));
    assert_null(call_field(&call, "C").at);
    assert_true(str_is(call.first_field->next->next->value, "3"));
    assert_ptr_equal(call.first_field->next->next, call.last_field);
}

static void options_of_the_connection(void **state)
{
    static const struct {
        const char *section;
        bool is_close;
    } checks[] = {
        { "\r\n", false },
        { "Connection: close\r\n\r\n", true },
        { "connection: CLOSE\r\n\r\n", true },
        { "Connection: a ,\tclose\t, b\r\n\r\n", true },
        { "Connection: ,,close\r\n\r\n", true },
        { "Connection: keep-alive\r\nConnection: close\r\n\r\n", true },
        { "Connection: closed\r\n\r\n", false },
        { "Connection: a-close\r\n\r\n", false },
        { "Connection: a close\r\n\r\n", false },
        { "Connection:\r\n\r\n", false },
        { "X-Connection: close\r\n\r\n", false },
    };
    struct call call;
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        assert_int_equal(read_section(&call, checks[i].section), HEAD_END);
        if (head_is_connection_option(&call, STR("close")) != checks[i].is_close)
            fail_msg("'%s'", checks[i].section);
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
        cmocka_unit_test(status_lines),
        cmocka_unit_test(header_lines),
        cmocka_unit_test(sections),
        cmocka_unit_test(fields_stay_in_their_order),
        cmocka_unit_test(options_of_the_connection),
    };
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, end);
}
