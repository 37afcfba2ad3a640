/* lib_request: from CGI variables to a request, what is refused, ids, reading the body. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include "lib/connection.h"
#include "lib/log.h"
#include "lib/request.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define BODY_MAX 1000
#define GET "REQUEST_METHOD=GET"
#define POST "REQUEST_METHOD=POST", "REQUEST_URI=/"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    request_ids_init();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static struct request fill(const char *const *variables, int expected)
{
    struct request request = { .arena = &arena };
    const char *why;
    int status = request_fill(&request, (char **)(uintptr_t)variables, BODY_MAX, &why);
    if (status != expected)
        print_error("%s %s: %s\n", variables[0], variables[1], why ? why : "");
    assert_int_equal(status, expected);
    assert_int_equal(status != 0, why != NULL);
    assert_non_null(request.id);
    assert_non_null(request.method);
    assert_non_null(request.path.at);
    assert_non_null(request.query.at);
    return request;
}

static void refusals(void **state)
{
    static const struct {
        int expected;
        const char *variables[4];
    } cases[] = {
        { 0, { GET, "REQUEST_URI=/" } },
        { 0, { GET, "REQUEST_URI=/a%2Fb?x=%zz" } },
        { 0, { GET, "REQUEST_URI=//a/../b;c=1,2" } },
        { 0, { "REQUEST_METHOD=M-SEARCH", "REQUEST_URI=/" } },
        { 0, { POST, "CONTENT_LENGTH=" } },
        { 0, { POST, "CONTENT_LENGTH=0" } },
        { 0, { POST, "CONTENT_LENGTH=1000" } },
        { 0, { POST, "CONTENT_LENGTH=0001" } },
        { 413, { POST, "CONTENT_LENGTH=1001" } },
        { 413, { POST, "CONTENT_LENGTH=9223372036854775807" } },
        { 413, { POST, "CONTENT_LENGTH=9223372036854775808" } },
        { 413, { POST, "CONTENT_LENGTH=99999999999999999999999999999999" } },
        { 400, { POST, "CONTENT_LENGTH=-1" } },
        { 400, { POST, "CONTENT_LENGTH=+1" } },
        { 400, { POST, "CONTENT_LENGTH=1 " } },
        { 400, { POST, "CONTENT_LENGTH= 1" } },
        { 400, { POST, "CONTENT_LENGTH=0x10" } },
        { 400, { POST, "CONTENT_LENGTH=1,1" } },
        { 400, { "REQUEST_URI=/" } },
        { 400, { "REQUEST_METHOD=", "REQUEST_URI=/" } },
        { 400, { "REQUEST_METHOD=G ET", "REQUEST_URI=/" } },
        { 400, { "REQUEST_METHOD=GET\n", "REQUEST_URI=/" } },
        { 400, { GET } },
        { 400, { GET, "REQUEST_URI=" } },
        { 400, { GET, "REQUEST_URI=*" } },
        { 400, { GET, "REQUEST_URI=?x=/" } },
        { 400, { GET, "REQUEST_URI=users" } },
        { 400, { GET, "REQUEST_URI=/a b" } },
        { 400, { GET, "REQUEST_URI=/a\tb" } },
        { 400, { GET, "REQUEST_URI=/a\r\nX: y" } },
        { 400, { GET, "REQUEST_URI=/a\x7f" } },
        { 0, { GET, "REQUEST_URI=/caf\xc3\xa9" } },
        { 400, { GET, "REQUEST_URI=/caf\xe9" } },
        { 400, { GET, "REQUEST_URI=/a?b c" } },
        { 400, { GET, "REQUEST_URI=/a?b\xff" } },
        { 400, { GET, "REQUEST_URI=/%" } },
        { 400, { GET, "REQUEST_URI=/%4" } },
        { 400, { GET, "REQUEST_URI=/%4?1" } },
        { 400, { GET, "REQUEST_URI=/%4g" } },
        { 400, { GET, "REQUEST_URI=/%g4/x" } },
        { 400, { NULL } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        fill(cases[i].variables, cases[i].expected);
}

static void fields_with_one_variable_are_refused(void **state)
{
    static const struct {
        int expected;
        const char *first, *second;
    } cases[] = {
        { 0, "HTTP_A=1", "HTTP_B=1" },
        { 0, "HTTP_A=1", "HTTP_A_=1" },
        { 0, "HTTP_A_=1", "HTTP_A=1" },
        { 0, "HTTP_A", "HTTP_A=" },
        { 0, "CONTENT_TYPE=a/b", "HTTP_CONTENT_TYPE=c/d" },
        { 0, "A=1", "A=1" },
        { 400, "HTTP_A=1", "HTTP_A=2" },
        { 400, "HTTP_A=", "HTTP_A=" },
        { 400, "HTTP_ACCEPT_LANGUAGE=en", "HTTP_ACCEPT_LANGUAGE=xx" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *variables[] = { GET, cases[i].first, "REQUEST_URI=/", cases[i].second, NULL };
        fill(variables, cases[i].expected);
    }
}

/* However many fields: of different names none is taken for another, and one that is there twice is
 * found wherever it stands. */
static void of_many_fields_one_that_is_there_twice_is_found(void **state)
{
    enum { MANY = 1500 };
    static char fields[MANY][16];
    const char *variables[MANY + 4] = { GET, "REQUEST_URI=/" };

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(fields[i], sizeof(fields[i]), "HTTP_%d=", i);
        variables[2 + i] = fields[i];
    }
    fill(variables, 0);
    for (int i = 0; i < MANY; i += 100) {
        variables[2 + MANY] = fields[i];
        fill(variables, 400);
    }
}

static void targets(void **state)
{
    static const struct {
        const char *uri, *path, *query;
        bool has_query;
    } cases[] = {
        { "/", "/", "", false },
        { "/a/b", "/a/b", "", false },
        { "/a?", "/a", "", true },
        { "/a?b", "/a", "b", true },
        { "/a?b?c=/", "/a", "b?c=/", true },
        { "/%41%2F?a=%2F&b=+", "/%41%2F", "a=%2F&b=+", true },
        { "//x/./y/..", "//x/./y/..", "", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char variable[64] = "REQUEST_URI=";
        strcat(variable, cases[i].uri);
        const char *variables[] = { GET, variable, NULL };
        struct request request = fill(variables, 0);
        assert_true(str_is(request.target, cases[i].uri));
        assert_true(str_is(request.path, cases[i].path));
        assert_true(str_is(request.query, cases[i].query));
        assert_int_equal(request.has_query, cases[i].has_query);
    }
}

static void methods(void **state)
{
    static const struct {
        const char *variable, *method;
        bool is_head;
    } cases[] = {
        { GET, "GET", false },
        { "REQUEST_METHOD=HEAD", "HEAD", true },
        { "REQUEST_METHOD=head", "head", false },
        { "REQUEST_METHOD=HEADER", "HEADER", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *variables[] = { cases[i].variable, "REQUEST_URI=/", NULL };
        struct request request = fill(variables, 0);
        assert_string_equal(request.method, cases[i].method);
        assert_int_equal(request.is_head, cases[i].is_head);
    }
}

static void looking_up(void **state)
{
    static const char *const variables[] = { GET, "REQUEST_URI=/", "HTTP_IF_NONE_MATCH=\"a=b\"",
        "HTTP_ACCEPT=", "HTTP_ACCEPT_ENCODING=gzip", "CONTENT_TYPE=text/plain", "CONTENT_LENGTH=5",
        "HTTP_CONTENT_LENGTH=6", "REMOTE_ADDR=::1", "remote_port=5", "REMOTE_ADDR=::2", NULL };
    static const struct {
        const char *name, *header, *variable;
    } cases[] = {
        { "If-None-Match", "\"a=b\"", NULL },
        { "if-none-match", "\"a=b\"", NULL },
        { "IF-NONE-MATCH", "\"a=b\"", NULL },
        { "If-None", NULL, NULL },
        { "If-None-Match-X", NULL, NULL },
        { "Accept", "", NULL },
        { "Accept-Encoding", "gzip", NULL },
        { "content-type", "text/plain", NULL },
        { "Content-Length", "5", NULL },
        { "REMOTE_ADDR", NULL, "::1" },
        { "REMOTE_ADD", NULL, NULL },
        { "remote_addr", NULL, NULL },
        { "remote_port", NULL, "5" },
        { "HTTP_ACCEPT", NULL, "" },
        { "", NULL, NULL },
    };

    (void)state;
    struct request request = fill(variables, 0);
    assert_int_equal(request.body_length, 5);
    assert_non_null(request.index);
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        size_t at = i % COUNT(cases);
        if (i == COUNT(cases))
            request.index = NULL; /* then all are looked at */
        const char *header = request_header(&request, cases[at].name);
        const char *variable = request_variable(&request, cases[at].name);
        assert_string_equal(header ? header : "-", cases[at].header ? cases[at].header : "-");
        assert_string_equal(
            variable ? variable : "-", cases[at].variable ? cases[at].variable : "-");
    }
}

#define SIXTY "012345678901234567890123456789012345678901234567890123456789"

static void ids(void **state)
{
    static const struct {
        const char *id;
        bool is_kept;
    } cases[] = {
        { "a", true },
        { "A-b_c.9", true },
        { SIXTY "0123", true },
        { SIXTY "01234", false },
        { "", false },
        { "a b", false },
        { "a\n", false },
        { "a/b", false },
        { "a\"", false },
        { "\xc3\xa9", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char variable[100] = "HTTP_X_REQUEST_ID=";
        strcat(variable, cases[i].id);
        const char *variables[] = { GET, "REQUEST_URI=/", variable, NULL };
        struct request request = fill(variables, 0);
        assert_int_equal(request_id_is_sane(cases[i].id), cases[i].is_kept);
        assert_int_equal(strcmp(request.id, cases[i].id) == 0, cases[i].is_kept);
        assert_true(request_id_is_sane(request.id));
    }
}

static void made_ids_differ(void **state)
{
    enum { MANY = 300 };
    static const char *const variables[] = { GET, "REQUEST_URI=/", NULL };
    const char *made[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        made[i] = fill(variables, 0).id;
        assert_int_equal(strlen(made[i]), 32);
        assert_int_equal(strspn(made[i], "0123456789abcdef"), 32);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(made[i], made[k]);
    }
}

/* Gives one byte more than is left of a body of "0123456789", in parts of at most 4. */
struct source {
    struct connection connection;
    size_t given, size;
};

static ssize_t read_source(struct connection *connection, void *bytes, size_t size)
{
    struct source *source = (struct source *)connection;
    size_t left = source->size - source->given;
    size_t part = size < 4 ? size : 4;
    part = part < left ? part : left;
    memcpy(bytes, &"0123456789"[source->given], part);
    source->given += part;
    return part > 0 ? (ssize_t)part : -1;
}

static ssize_t read_all(int64_t announced, size_t there, char *bytes)
{
    struct source source = { .size = there };
    source.connection.read = read_source;
    source.connection.body_left = announced;
    struct request request = { .connection = &source.connection };
    ssize_t len = 0, got;

    while ((got = request_read(&request, bytes + len, 7)) > 0)
        len += got;
    assert_int_equal(request_read(&request, bytes + len, 7), got); /* it stays so */
    bytes[len] = 0;
    return got;
}

static void bodies(void **state)
{
    char bytes[32];

    (void)state;
    assert_int_equal(read_all(10, 10, bytes), 0);
    assert_string_equal(bytes, "0123456789");
    assert_int_equal(read_all(6, 10, bytes), 0); /* never more than was announced */
    assert_string_equal(bytes, "012345");
    assert_int_equal(read_all(0, 10, bytes), 0);
    assert_string_equal(bytes, "");
    assert_int_equal(read_all(10, 9, bytes), REQUEST_BODY_CUT);
    assert_string_equal(bytes, "012345678");
    assert_int_equal(read_all(10, 0, bytes), REQUEST_BODY_CUT);
}

static int watched;

static void count_watch(struct connection *connection)
{
    (void)connection;
    watched++;
}

static void clients_of_quick_requests_are_not_watched(void **state)
{
    struct connection connection = { .watch = count_watch };
    struct request request = { .connection = &connection, .arrived_us = log_clock_us() + 1000000 };

    (void)state;
    int wait_ms = request_client_wait_ms(&request); /* as if it came in a second */
    assert_true(wait_ms > 0 && wait_ms <= 1041);
    assert_int_equal(watched, 0);
    request.arrived_us -= 2000000;
    assert_int_equal(request_client_wait_ms(&request), INT_MAX);
    assert_int_equal(request_client_wait_ms(&request), INT_MAX);
    assert_int_equal(watched, 1);
    connection.watch = NULL;
    assert_int_equal(request_client_wait_ms(&request), INT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(fields_with_one_variable_are_refused),
        cmocka_unit_test(of_many_fields_one_that_is_there_twice_is_found),
        cmocka_unit_test(targets),
        cmocka_unit_test(methods),
        cmocka_unit_test(looking_up),
        cmocka_unit_test(ids),
        cmocka_unit_test(made_ids_differ),
        cmocka_unit_test(bodies),
        cmocka_unit_test(clients_of_quick_requests_are_not_watched),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
