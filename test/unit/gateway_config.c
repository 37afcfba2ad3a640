/* gateway_config: every mistake in a configuration file is told with its place; good files load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "fcgi-gateway/config.h"

#define START "{\"upstreams\":{\"users\":{\"servers\":[\"unix:/u\"]}},\n"
#define ROUTES START "\"routes\":{"

struct check {
    const char *file;     /* what it says */
    const char *expected; /* lines without the file's name, or "" where it is good */
};

static const struct check checks[] = {
    { ROUTES "\"GET /\":\"users\"}}", "" },
    { "{\"routes\":{}}", "" },
    { "[]", "1:1: expected object, not array\n" },
    { "{", "1:2: the text ends inside an object\n" },
    { "{}", "1:1: 'routes' is missing here\n" },
    { START "\"rotes\":{},\n\"routes\":{}}",
        "2:1: unknown key 'rotes' (did you mean 'routes'?)\n" },
    { START "\"rotes\":{}}", "1:1: 'routes' is missing here\n"
                             "2:1: unknown key 'rotes' (did you mean 'routes'?)\n" },
    { START "\"routes\":{},\"routes\":{}}",
        "2:13: 'routes' stands here twice (first in line 2)\n" },
    { "{\"upstreams\":{\"u\":{}},\"routes\":{}}", "1:19: 'servers' is missing here\n" },
    { "{\"upstreams\":{\"u\":{\"servers\":[]}},\"routes\":{}}",
        "1:30: 'servers' is an array of one server or more\n" },
    { "{\"upstreams\":{\"u\":{\"servers\":[\"http://h:1/\"]}},\"routes\":{}}",
        "1:15: warning: no route uses the upstream 'u'\n" },
    { "{\"upstreams\":{\"u\":{\"servers\":[\"http://h/x\"]}},\"routes\":{}}",
        "1:31: 'http://h/x' is no server (write \"http://host:port\" or \"unix:path\")\n" },
    { "{\"upstreams\":{\"u\":{\"servers\":[\"unix:\"]}},\"routes\":{}}",
        "1:31: 'unix:' is no server (write \"http://host:port\" or \"unix:path\")\n" },
    { "{\"upstreams\":{\"a b\":{\"servers\":[\"unix:x\"]}},\"routes\":{}}",
        "1:15: an upstream's name is one word without ' ', ':', '/', '{', '}'\n" },
    { "{\"upstreams\":{\"u\":{\"servers\":[\"unix:x\"],\"timeout\":5}},\"routes\":{}}",
        "1:51: a duration has a unit: \"5s\" or \"5ms\"\n" },
    { "{\"name\":\"a b\",\"routes\":{}}",
        "1:9: the gateway's name is letters, digits, '-', '.' and '_', without a space\n" },
    { "{\"upstreams\":{\"u\":{\"servers\":[\"http://h:99999\"]}},\"routes\":{}}",
        "1:31: 'http://h:99999': a port is a number from 1 to 65535\n" },
    { "{\"upstreams\":{\"u\":{\"servers\":[\"http://[::1]:80\"]}},\"routes\":{}}",
        "1:15: warning: no route uses the upstream 'u'\n" },
    { "{\"upstreams\":{\"u\":{\"servers\":[\"http://[::1]\"]}},\"routes\":{}}",
        "1:15: warning: no route uses the upstream 'u'\n" },
    { "{\"upstreams\":{\"gateway\":{\"servers\":[\"unix:x\"]}},\"routes\":{}}",
        "1:15: two members of the health reply have the name 'gateway' (give one a 'name' in its "
        "'health')\n" },
    { ROUTES "\"GET /\":{\"calls\":{\"a\":\"users GET /%zz\"},\"reply\":{\"x\":1,\n\"x\":2}}}}",
        "2:33: a path has no control or non-ASCII characters and none of \"#<>\\^`| but as %XX\n"
        "3:1: 'x' stands here twice (first in line 2)\n" },
    { START "\"errors\":{\"timeout\":99},\"routes\":{}}",
        "2:21: 99 is no whole number from 400 to 599\n" },
    { "{\"errors\":{\"refused\":429,\"gone\":499,\"body\":{\"success\":false,"
      "\"e\":\"{error.title} {error.status}\",\"c\":\"{error.cause}\"}},\"routes\":{}}",
        "" },
    { START "\"errors\":{\"timout\":504,\"gone\":200,\"body\":[\"{query.a}\",\n\"{error.x}\"]},"
            "\"routes\":{}}",
        "2:11: unknown key 'timout' (did you mean 'timeout'?)\n"
        "2:31: 200 is no whole number from 400 to 599\n"
        "2:43: {query.a}: only {error.title}, .message, .status and .cause can stand here\n"
        "3:1: {error.x}: an error has no 'x' (known here: title, message, status, cause)\n" },
    { START "\"limits\":{\"body\":\"1 MB\"},\"routes\":{}}",
        "2:18: '1 MB' is no size (write \"512B\", \"64KiB\", \"10MiB\", \"1GiB\")\n" },
    { ROUTES "\"GET /\":\"user\"}}",
        "2:19: there is no upstream 'user' (did you mean 'users'?)\n" },
    { ROUTES "\"GET /\":7}}",
        "2:19: a route is the name of an upstream, \"builtin:health\", or an object with "
        "'pass', 'redirect' or 'reply'\n" },
    { ROUTES "\"GET /\":\"builtin:heath\"}}",
        "2:19: there is no 'builtin:heath' (did you mean 'builtin:health'?)\n" },
    { ROUTES "\"GET /{a}\":\"users\",\n\"GET /{b}\":\"users\"}}",
        "3:1: this matches the same requests as 'GET /{a}' in line 2\n" },
    { ROUTES "\"GET /{query}\":\"users\"}}",
        "2:11: 'query' means something else in references: name the path parameter otherwise\n" },
    { ROUTES "\"GET /\":{}}}", "2:19: 'pass', 'redirect' or 'reply' is missing here\n" },
    { ROUTES "\"GET /\":{\"timeout\":\"1s\"}}}",
        "2:19: 'pass', 'redirect' or 'reply' is missing here\n" },
    { ROUTES "\"GET /\":{\"calls\":{}}}}", "2:19: 'reply' is missing here\n" },
    { ROUTES "\"GET /\":{\"calls\":[],\"reply\":1}}}", "2:28: expected object, not array\n" },
    { ROUTES "\"GET /\":{\"pass\":\"users\",\"timeout\":\"1s\"}}}", "" },
    { ROUTES "\"GET /\":{\"pass\":\"user\",\"timeout\":1}}}",
        "2:27: there is no upstream 'user' (did you mean 'users'?)\n"
        "2:44: a duration has a unit: \"1s\" or \"1ms\"\n" },
    { ROUTES "\"GET /\":{\"reply\":1,\n\"calls\":{},\"pass\":\"users\",\"tiemout\":\"1s\"}}}",
        "2:20: 'reply' does not go with 'pass'\n"
        "3:1: 'calls' does not go with 'pass'\n"
        "3:27: unknown key 'tiemout' (did you mean 'timeout'?)\n" },
    { ROUTES "\"GET /\":{\"reply\":1,\"status\":1000}}}",
        "2:39: 1000 is no whole number from 200 to 599\n" },
    { ROUTES "\"GET /\":{\"calls\":{\"a\":\"users POT /\"},\"reply\":1}}}",
        "2:33: a call's method is GET, POST, PUT, PATCH or DELETE, not 'POT'\n" },
    { ROUTES "\"POST /\":{\"calls\":{\"a\":{\"call\":\"users POST "
             "/\",\"body\":\"{body}\",\"when\":\"{body.x:int}\",\n"
             "\"headers\":{\"X-A\":\"{header.X-B}\"}}},\n"
             "\"reply\":\"{a}\",\"status\":\"{a.$status}\",\"headers\":{\"Location\":\"{a.$headers."
             "Location}\"}}}}",
        "" },
    { ROUTES "\"GET /\":{\"calls\":{\"a\":{\"call\":\"users GET /\",\n\"body\":1,\n\"when\":1,\n"
             "\"headers\":{\"Host\":\"x\",\n\"a "
             "b\":\"\"}}},\n\"status\":\"ok\",\n\"reply\":{\"...\":1}}}}",
        "2:33: a GET has no body: write POST, PUT or PATCH\n"
        "4:8: write one reference here, such as \"{body.name}\"\n"
        "5:12: 'Host' is written by the gateway itself\n"
        "6:1: this is no name of a header field\n"
        "7:10: write one reference here, such as \"{body.name}\"\n"
        "8:9: '...' puts in an object's members: write \"...\": \"{body}\"\n" },
    { ROUTES "\"GET /\":{\"calls\":{\"a\":\"users GET /\"},\"reply\":\"{a.$headrs.x}\"}}}",
        "2:56: {a.$headrs.x}: a call's reply came with $status and $headers.Name only\n" },
    { ROUTES "\"GET /\":{\"calls\":{\"a\":\"users GET x\"},\"reply\":1}}}",
        "2:33: a call is \"upstream GET /path\"\n" },
    { ROUTES "\"GET /\":{\"calls\":{\"a\":\"usrs GET /\"},\"reply\":1}}}",
        "2:33: there is no upstream 'usrs' (did you mean 'users'?)\n" },
    { ROUTES "\"GET /{id}\":{\"calls\":{\"id\":\"users GET /\"},\"reply\":1}}}",
        "2:33: 'id' is a path parameter of this route already\n" },
    { ROUTES "\"GET /\":{\"calls\":{\"query\":\"users GET /\"},\"reply\":1}}}",
        "2:29: 'query' means something else in references: name the call otherwise\n" },
    { ROUTES "\"GET /\":{\"calls\":{\"a\":\"users GET /{a.x}\"},\"reply\":1}}}",
        "2:33: call 'a' waits for its own reply, directly or through other calls\n" },
    { ROUTES "\"GET /\":{\"calls\":{\"a\":\"users GET /{b.x}\",\n\"b\":\"users GET /{a.x}\"},"
             "\"reply\":1}}}",
        "2:33: call 'a' waits for its own reply, directly or through other calls\n"
        "3:5: call 'b' waits for its own reply, directly or through other calls\n" },
    { ROUTES "\"GET /{id}\":{\"reply\":\"{ip}\"}}}",
        "2:32: {ip}: 'ip' is no call and no path parameter of this route (did you mean 'id'?)\n" },
    { ROUTES "\"GET /{id}\":{\"reply\":\"{id.x}\"}}}",
        "2:32: {id.x}: a path parameter has no members\n" },
    { ROUTES "\"GET /\":{\"reply\":\"{error.title}\"}}}",
        "2:28: {error.title}: {error...} can only stand in 'failure' and 'errors.body'\n" },
    { ROUTES "\"GET /\":{\"jq\":\".\",\"failure\":\"{error.titel}\"}}}",
        "2:39: {error.titel}: an error has no 'titel' (did you mean 'title'?)\n" },
    { ROUTES "\"GET /\":{\"reply\":\"a {\"}}}", "2:28: '{' without '}' (write {{ for a brace)\n" },
    { ROUTES "\"GET /\":{\"reply\":\"${CONFIG_TEST_UNSET}\"}}}",
        "2:28: the environment has no variable 'CONFIG_TEST_UNSET' (give a default: "
        "${CONFIG_TEST_UNSET:-value})\n" },
    { ROUTES "\"GET /\":{\"reply\":\"${CONFIG_TEST_UNSET:-x}\"}}}",
        "1:15: warning: no route uses the upstream 'users'\n" },
    { ROUTES
        "\"GET /a/{r*}\":{\"pass\":\"users /b/{r}?x={query.y}\",\"headers\":{\"X\":null},"
        "\"request\":{\"headers\":{\"X\":\"{r}\",\"Y\":null},\"query\":{\"z\":null,\"X\":\"\"}},"
        "\"limits\":{\"body\":\"1GiB\"}},\n\"GET /b/{r*}\":{\"redirect\":\"http://h:1/{r}\"}},\n"
        "\"defaults\":{\"timeout\":\"1s\",\"headers\":{\"A\":\"{query.a}\",\"B\":null},"
        "\"request\":{\"headers\":{},\"query\":{\"a\":\"b\"}}}}",
        "" },
    { ROUTES "\"POST x\":\"users\",\"GET /a\":\"nobody\"}}",
        "2:11: the path must begin with '/', one space behind the method\n"
        "2:37: there is no upstream 'nobody' (known here: users)\n" },
};

static char file_name[] = "/tmp/gateway_config.XXXXXX";

static struct config *read_text(const char *text, struct arena *arena, FILE *out)
{
    FILE *file = fopen(file_name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return config_read(file_name, arena, out);
}

/* Takes the file's name off the start of every line. */
static void strip_names(char *text)
{
    size_t skip = strlen(file_name) + 1;
    char *to = text;
    for (char *from = text; *from;) {
        assert_memory_equal(from, file_name, skip - 1);
        from += skip;
        size_t len = strcspn(from, "\n") + 1;
        memmove(to, from, len);
        to += len;
        from += len;
    }
    *to = '\0';
}

static void mistakes_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        char *said = NULL;
        size_t said_len;
        FILE *out = open_memstream(&said, &said_len);
        struct arena arena;
        arena_init(&arena);
        struct config *config = read_text(checks[i].file, &arena, out);
        fclose(out);
        strip_names(said);
        assert_string_equal(said, checks[i].expected);
        bool is_good = !*checks[i].expected || strstr(checks[i].expected, ": warning: ");
        assert_true((config != NULL) == is_good);
        arena_clear(&arena);
        free(said);
    }
}

static void calls_know_what_they_wait_for(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct config *config = read_text(ROUTES
        "\"GET /{id}\":{\"calls\":{"
        "\"c\":\"users GET /{a.x}/{b.y}\",\"a\":\"users GET /{id}\",\"b\":\"users GET "
        "/{a.x}\"},\"reply\":\"{c}\",\"failure\":{\"a\":\"{a}\",\"b\":\"{b}\"}}}}",
        &arena, stderr);
    assert_non_null(config);
    const struct route *route = &config->routes[0];
    assert_int_equal(route->calls[0].after, 6);
    assert_int_equal(route->calls[1].after, 0);
    assert_int_equal(route->calls[2].after, 2);
    assert_int_equal(route->failure_needs, 6);
    arena_clear(&arena);
}

/* What a call's `each`, `else` and `result` refer to is waited for as what its path refers to is.
 */
static void calls_wait_for_all_that_they_refer_to(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct config *config = read_text(ROUTES
        "\"GET /\":{\"calls\":{\"a\":\"users GET /\",\"b\":\"users GET /\",\"c\":\"users GET /\","
        "\"d\":{\"each\":\"{a}\",\"call\":\"users GET "
        "/{each}\",\"else\":\"{b}\",\"result\":[\"{c}\","
        "\"{reply}\"],\"max\":3,\"timeout\":\"2s\"},"
        "\"e\":{\"each\":\"{a}\",\"call\":\"users GET "
        "/{each}\"}},\"reply\":\"{d}\",\"timeout\":\"3s\"}}}",
        &arena, stderr);
    assert_non_null(config);
    const struct route *route = &config->routes[0];
    assert_int_equal(route->timeout_ms, 3000);
    assert_int_equal(route->calls[3].after, 7);
    assert_int_equal(route->calls[3].at_once, 3);
    assert_int_equal(route->calls[3].timeout_ms, 2000);
    assert_int_equal(route->calls[4].after, 1);
    assert_int_equal(route->calls[4].at_once, 8);
    assert_int_equal(route->calls[4].timeout_ms, 0);
    arena_clear(&arena);
}

static void values_arrive(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    setenv("CONFIG_TEST_URL", "http://h:1", 1);
    struct config *config =
        read_text("{\"name\":\"g\",\"upstreams\":{\"u\":{\"servers\":[\"${CONFIG_TEST_URL:-x}\"],"
                  "\"timeout\":\"2min\",\"title\":\"T\",\"health\":{\"path\":\"/h\",\"timeout\":"
                  "\"1s\",\"name\":\"n\"}}},\"errors\":{\"unreachable\":503},\"limits\":{"
                  "\"body\":\"2KiB\",\"concurrent\":2000},\"routes\":{}}",
            &arena, stderr);
    assert_non_null(config);
    const struct upstream *upstream = &config->upstreams[0];
    assert_string_equal(upstream->servers->address.url, "http://h:1");
    assert_null(upstream->servers->address.socket_path);
    assert_int_equal(upstream->timeout_ms, 120000);
    assert_int_equal(upstream->health_timeout_ms, 1000);
    assert_string_equal(upstream->health_path, "/h");
    assert_true(str_is(upstream->health_name, "n"));
    assert_true(str_is(upstream->title, "T"));
    assert_int_equal(config->errors.statuses[ERROR_UNREACHABLE], 503);
    assert_int_equal(config->errors.statuses[ERROR_TIMEOUT], 504);
    assert_int_equal(config->body_max, 2048);
    assert_int_equal(config->concurrent_max, 2000);
    arena_clear(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(calls_know_what_they_wait_for),
        cmocka_unit_test(calls_wait_for_all_that_they_refer_to),
        cmocka_unit_test(values_arrive),
    };
    close(mkstemp(file_name));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file_name);
    return failed;
}
