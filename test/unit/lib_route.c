/* lib_route: which pattern a request meets, which patterns overlap, and mistakes in patterns. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "lib/route.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct arena arena;

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

/* The line itself is the target. */
static enum route_add_result add(struct router *router, const char *line)
{
    const char *error = NULL;
    void *other = NULL;

    return router_add(router, str_of(line), (void *)line, &error, &other);
}

static struct router *router_of(const char *const *lines, size_t count)
{
    struct router *router = router_new(&arena);

    for (size_t i = 0; i < count; i++) {
        if (add(router, lines[i]) != ROUTE_ADDED) {
            fail_msg("not added: %s", lines[i]);
        }
    }
    return router;
}

/* What was found, as one line: "target name=value", or "404", "405 GET, HEAD", "400". */
static const char *outcome(const struct router *router, const char *method, const char *path)
{
    struct route_match match;
    struct buf out;

    buf_init(&out, &arena);
    switch (router_find(router, method, str_of(path), &arena, &match)) {
    case ROUTE_FOUND:
        buf_text(&out, match.target);
        for (unsigned i = 0; i < match.parameter_count; i++) {
            buf_char(&out, ' ');
            buf_str(&out, match.parameters[i].name);
            buf_text(&out, match.parameters[i].is_int ? ":=" : "=");
            buf_str(&out, match.parameters[i].value);
        }
        break;
    case ROUTE_NO_PATH:
        buf_text(&out, "404");
        assert_int_equal(match.allow, 0);
        break;
    case ROUTE_NO_METHOD:
        buf_text(&out, "405 ");
        route_allow(&out, match.allow);
        break;
    case ROUTE_BAD_PATH:
        buf_text(&out, "400");
        break;
    }
    return buf_as_text(&out);
}

struct lookup {
    const char *method, *path, *expected;
};

static void check(const struct router *router, const struct lookup *lookups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *found = outcome(router, lookups[i].method, lookups[i].path);

        if (strcmp(found, lookups[i].expected) != 0) {
            fail_msg("%s %s: %s, expected %s", lookups[i].method, lookups[i].path, found,
                lookups[i].expected);
        }
    }
}

static const char *const pattern_lines[] = {
    "GET /",
    "GET /users",
    "GET /users/{id:int}",
    "GET /users/{id:int}/orders",
    "GET /users/drink/{drink}",
    "PUT,DELETE /users/{id:int}",
    "POST /orders",
    "GET /files/{path*}",
    "GET /caf%C3%A9/a%2Fb",
    "GET /água mineral",
};
static const struct lookup pattern_lookups[] = {
    { "GET", "/", "GET /" },
    { "GET", "/users", "GET /users" },
    { "HEAD", "/users", "GET /users" },
    { "GET", "/users/42", "GET /users/{id:int} id:=42" },
    { "GET", "/users/007", "GET /users/{id:int} id:=007" },
    { "DELETE", "/users/42", "PUT,DELETE /users/{id:int} id:=42" },
    { "GET", "/users/42/orders", "GET /users/{id:int}/orders id:=42" },
    { "GET", "/users/drink/mocha", "GET /users/drink/{drink} drink=mocha" },
    { "GET", "/users/drink/caf%C3%A9%20au%2Flait", "GET /users/drink/{drink} drink=café au/lait" },
    { "GET", "/%75sers/%34%32", "GET /users/{id:int} id:=42" },
    { "GET", "/files/a", "GET /files/{path*} path=a" },
    { "GET", "/files/a%2Fb/c%20d/", "GET /files/{path*} path=a%2Fb/c%20d/" },
    { "GET", "/files", "GET /files/{path*} path=" },
    { "GET", "/files/", "GET /files/{path*} path=" },
    { "GET", "/files//", "404" },
    { "GET", "/files//b", "404" },
    { "GET", "/filesa", "404" },
    { "GET", "/files/a//b", "GET /files/{path*} path=a//b" },
    { "GET", "/caf%c3%a9/a%2fb", "GET /caf%C3%A9/a%2Fb" },
    { "GET", "/%C3%A1gua%20mineral", "GET /água mineral" },
    { "GET", "/café/a/b", "404" },
    { "GET", "/nobody", "404" },
    { "GET", "/Users", "404" },
    { "GET", "/users/", "404" },
    { "GET", "/users/abc", "404" },
    { "GET", "/users/-1", "404" },
    { "GET", "/users/1a", "404" },
    { "GET", "/users/%D9%A1", "404" }, /* a digit, but not an ASCII one */
    { "GET", "/users/42/", "404" },
    { "GET", "/users/42/orders/1", "404" },
    { "GET", "/users//orders", "404" },
    { "GET", "/users/drink/", "404" },
    { "GET", "//", "404" },
    { "GET", "//users", "404" },
    { "POST", "/users", "405 GET, HEAD" },
    { "GET", "/orders", "405 POST" },
    { "HEAD", "/orders", "405 POST" },
    { "PATCH", "/users/42", "405 GET, HEAD, PUT, DELETE" },
    { "BREW", "/users", "405 GET, HEAD" },
    { "get", "/users", "405 GET, HEAD" },
    { "", "/users", "405 GET, HEAD" },
    { "BREW", "/nobody", "404" },
    { "GET", "", "400" },
    { "GET", "users", "400" },
    { "GET", "*", "400" },
    { "GET", "http://host/users", "400" },
    { "GET", "/users/%", "400" },
    { "GET", "/users/%zz", "400" },
    { "GET", "/users/%00", "400" },
    { "GET", "/users/%FF", "400" },
    { "GET", "/nobody/\xff", "400" },
    { "GET", "/./users", "400" },
    { "GET", "/users/..", "400" },
    { "GET", "/files/a/../b", "400" },
    { "GET", "/files/%2e%2E/b", "400" },
    { "GET", "/files/.%2e", "400" },
    { "GET", "/files/...", "GET /files/{path*} path=..." },
    { "GET", "/files/.a", "GET /files/{path*} path=.a" },
};

static void requests_meet_their_patterns(void **state)
{
    (void)state;
    check(router_of(pattern_lines, COUNT(pattern_lines)), pattern_lookups, COUNT(pattern_lookups));
}

/* Every order of registration gives the same answers. */
static void fixed_beats_int_beats_any_beats_rest(void **state)
{
    static const char *const lines[] = {
        "GET /a/{rest*}",
        "GET /a/{any}",
        "GET /a/{number:int}",
        "GET /a/1",
        "GET /a/{x}/z",
        "GET /a/{x:int}/y",
        "GET /a/1/x",
        "GET /b",
        "GET /b/{rest*}",
    };
    static const struct lookup lookups[] = {
        { "GET", "/a/1", "GET /a/1" },
        { "GET", "/a/2", "GET /a/{number:int} number:=2" },
        { "GET", "/a/b", "GET /a/{any} any=b" },
        { "GET", "/a/b/c", "GET /a/{rest*} rest=b/c" },
        { "GET", "/a", "GET /a/{rest*} rest=" },
        { "GET", "/a/", "GET /a/{rest*} rest=" },
        { "GET", "/b", "GET /b" },
        { "GET", "/b/", "GET /b/{rest*} rest=" },
        { "GET", "/a/1/x", "GET /a/1/x" },
        { "GET", "/a/1/y", "GET /a/{x:int}/y x:=1" },
        { "GET", "/a/1/z", "GET /a/{x}/z x=1" },
        { "GET", "/a/1/w", "GET /a/{rest*} rest=1/w" },
        { "GET", "/a/2/z", "GET /a/{x}/z x=2" },
        { "GET", "/a/b/y", "GET /a/{rest*} rest=b/y" },
    };

    (void)state;
    for (size_t turn = 0; turn < COUNT(lines); turn++) {
        const char *turned[COUNT(lines)];

        for (size_t i = 0; i < COUNT(lines); i++) {
            turned[i] = lines[(i + turn) % COUNT(lines)];
        }
        check(router_of(turned, COUNT(lines)), lookups, COUNT(lookups));
    }
}

static void a_pattern_without_the_method_gives_way(void **state)
{
    static const char *const lines[] = {
        "PUT /a/me",
        "POST /a/{id:int}",
        "GET /a/{name}",
        "DELETE /a/{rest*}",
        "HEAD /a/{other}",
    };
    static const struct lookup lookups[] = {
        { "PUT", "/a/me", "PUT /a/me" },
        { "GET", "/a/me", "GET /a/{name} name=me" },
        { "DELETE", "/a/me", "DELETE /a/{rest*} rest=me" },
        { "POST", "/a/1", "POST /a/{id:int} id:=1" },
        { "GET", "/a/1", "GET /a/{name} name=1" },
        { "HEAD", "/a/1", "HEAD /a/{other} other=1" },
        { "POST", "/a/me", "405 GET, HEAD, PUT, DELETE" },
        { "PUT", "/a/1", "405 GET, HEAD, POST, DELETE" },
        { "PATCH", "/a/b/c", "405 DELETE" },
        { "PATCH", "/a", "405 DELETE" },
    };

    (void)state;
    check(router_of(lines, COUNT(lines)), lookups, COUNT(lookups));
}

/* Also where a route was found: the methods of every pattern that matches. */
static void allow_has_all_methods_of_the_path(void **state)
{
    static const char *const lines[] = { "PUT /a/me", "GET /a/{name}", "DELETE /a/{rest*}" };
    struct route_match match;

    (void)state;
    assert_int_equal(
        router_find(router_of(lines, COUNT(lines)), "PUT", STR("/a/me"), &arena, &match),
        ROUTE_FOUND);
    assert_int_equal(
        match.allow, 1u << METHOD_PUT | 1u << METHOD_GET | 1u << METHOD_HEAD | 1u << METHOD_DELETE);
}

static void overlaps(void **state)
{
    static const struct {
        const char *first, *second;
        enum route_add_result expected;
    } cases[] = {
        { "GET /a", "GET /a", ROUTE_OVERLAP },
        { "GET /", "GET /", ROUTE_OVERLAP },
        { "GET /a/{x}", "GET /a/{y}", ROUTE_OVERLAP },
        { "GET /a/{x}/b", "GET /a/{y}/b", ROUTE_OVERLAP },
        { "GET /a/{x:int}", "GET /a/{y:int}", ROUTE_OVERLAP },
        { "GET /a/{x*}", "GET /a/{y*}", ROUTE_OVERLAP },
        { "GET,POST /a", "PUT,POST /a", ROUTE_OVERLAP },
        { "HEAD /a", "HEAD,GET /a", ROUTE_OVERLAP },
        { "GET /a", "HEAD,GET /a", ROUTE_OVERLAP },
        { "GET /A", "GET /%41", ROUTE_OVERLAP },
        { "GET /a", "HEAD /a", ROUTE_ADDED },
        { "HEAD /a", "GET /a", ROUTE_ADDED },
        { "GET /a", "POST /a", ROUTE_ADDED },
        { "GET /a/{x:int}", "GET /a/{y}", ROUTE_ADDED },
        { "GET /a/{x*}", "GET /a/{y}", ROUTE_ADDED },
        { "GET /a/b", "GET /a/{y}", ROUTE_ADDED },
        { "GET /a", "GET /A", ROUTE_ADDED },
        { "GET /a/{x}", "GET /a/{x}/b", ROUTE_ADDED },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct router *router = router_of(&cases[i].first, 1);
        const char *error;
        void *other;
        enum route_add_result result =
            router_add(router, str_of(cases[i].second), (void *)cases[i].second, &error, &other);

        if (result != cases[i].expected) {
            fail_msg("%s and %s", cases[i].first, cases[i].second);
        }
        assert_true(result != ROUTE_OVERLAP || other == cases[i].first);
    }
}

static void an_explicit_head_wins_whatever_came_first(void **state)
{
    static const char *const lines[][2] = { { "GET /a", "HEAD /a" }, { "HEAD /a", "GET /a" } };
    static const struct lookup lookups[] = {
        { "GET", "/a", "GET /a" },
        { "HEAD", "/a", "HEAD /a" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        check(router_of(lines[i], 2), lookups, COUNT(lookups));
    }
}

static void an_overlap_changes_nothing(void **state)
{
    struct router *router = router_of((const char *[]){ "GET /a/{x}" }, 1);
    static const struct lookup lookups[] = {
        { "GET", "/a/1", "GET /a/{x} x=1" },
        { "POST", "/a/1", "405 GET, HEAD" },
    };

    (void)state;
    assert_int_equal(add(router, "POST,GET /a/{y}"), ROUTE_OVERLAP);
    check(router, lookups, COUNT(lookups));
}

static void names_belong_to_the_route(void **state)
{
    static const char *const lines[] = { "GET /a/{x}/{y}", "POST /a/{first}/{second}" };
    struct router *router = router_of(lines, COUNT(lines));
    struct route_match match;

    (void)state;
    router_find(router, "POST", STR("/a/1/2"), &arena, &match);
    assert_true(str_is(route_parameter(&match, "second"), "2"));
    assert_null(route_parameter(&match, "y").at);
    router_find(router, "GET", STR("/a/1/2"), &arena, &match);
    assert_true(str_is(route_parameter(&match, "y"), "2"));
    router_find(router, "GET", STR("/b"), &arena, &match);
    assert_null(route_parameter(&match, "y").at);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *line, *error; /* a part of the message */
    } cases[] = {
        { "", "such as \"GET /users\"" },
        { "GET", "such as \"GET /users\"" },
        { "/users", "such as \"GET /users\"" },
        { " /users", "such as \"GET /users\"" },
        { "/a b", "such as \"GET /users\"" },
        { "BREW /users", "known are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" },
        { "get /users", "known are GET" },
        { "GET, POST /users", "without a space" },
        { ",GET /users", "unknown method" },
        { "GET,,PUT /users", "unknown method" },
        { "GET,PUT,GET /users", "the same method twice" },
        { "GET ", "must begin with '/'" },
        { "GET users", "must begin with '/'" },
        { "GET  /users", "must begin with '/'" },
        { "GET http://host/", "must begin with '/'" },
        { "GET /a?b", "without '?'" },
        { "GET /a#b", "without '?' or '#'" },
        { "GET //", "empty segment" },
        { "GET /a/", "empty segment" },
        { "GET /a//b", "empty segment" },
        { "GET /a/{x}/", "empty segment" },
        { "GET /a/{x}/{x}", "same name" },
        { "GET /a/{x:int}/{x*}", "same name" },
        { "GET /{x:uuid}", "unknown parameter type (known is int" },
        { "GET /{x:}", "unknown parameter type" },
        { "GET /{x:int*}", "unknown parameter type" },
        { "GET /{x", "'{' without '}'" },
        { "GET /{x/y}", "'{' without '}'" },
        { "GET /x}", "a whole segment" },
        { "GET /}", "a whole segment" },
        { "GET /a{x}", "a whole segment" },
        { "GET /{x}b", "a whole segment" },
        { "GET /{x}-{y}", "a parameter's name" },
        { "GET /{}", "a parameter's name" },
        { "GET /{*}", "a parameter's name" },
        { "GET /{:int}", "a parameter's name" },
        { "GET /{1st}", "a parameter's name" },
        { "GET /{a.b}", "a parameter's name" },
        { "GET /{a b}", "a parameter's name" },
        { "GET /{{a}}", "a parameter's name" },
        { "GET /{é}", "a parameter's name" },
        { "GET /{x*}/y", "must be its last segment" },
        { "GET /{x*}/", "must be its last segment" },
        { "GET /100%", "percent-encoding" },
        { "GET /%00", "percent-encoding" },
        { "GET /\xff", "percent-encoding or UTF-8" },
        { "GET /a/../b", "\".\" or \"..\"" },
        { "GET /%2e", "\".\" or \"..\"" },
        { "GET /a%0Ab", "control character" },
        { "GET /a\x1b[1m/{id}", "control character" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *error = NULL;
        void *other;

        if (router_add(router_new(&arena), str_of(cases[i].line), &arena, &error, &other) !=
                ROUTE_SYNTAX ||
            strstr(error, cases[i].error) == NULL) {
            fail_msg("%s: %s", cases[i].line, error ? error : "accepted");
        }
    }
    assert_int_equal(add(router_new(&arena), "GET /{_a}/{B-2_c}"), ROUTE_ADDED);
}

/* "GET /p/p/p…", or the same with parameters, of `count` segments. */
static const char *line_of(unsigned count, const char *format)
{
    struct buf line;

    buf_init(&line, &arena);
    buf_text(&line, "GET ");
    for (unsigned i = 0; i < count; i++) {
        buf_char(&line, '/');
        for (const char *at = format; *at; at++) {
            if (*at == '#') {
                buf_int(&line, i);
            } else {
                buf_char(&line, *at);
            }
        }
    }
    return buf_as_text(&line);
}

static void segments_and_parameters_are_bounded(void **state)
{
    static const char *const rest[] = { "GET /{rest*}" };
    struct router *router = router_new(&arena);

    (void)state;
    assert_int_equal(add(router, line_of(ROUTE_SEGMENTS_MAX, "s#")), ROUTE_ADDED);
    assert_int_equal(add(router, line_of(ROUTE_SEGMENTS_MAX + 1, "s#")), ROUTE_SYNTAX);
    assert_int_equal(add(router, line_of(ROUTE_PARAMETERS_MAX, "{p#}")), ROUTE_ADDED);
    assert_int_equal(add(router, line_of(ROUTE_PARAMETERS_MAX + 1, "{p#}")), ROUTE_SYNTAX);
    assert_string_not_equal(outcome(router, "GET", line_of(ROUTE_SEGMENTS_MAX, "s#") + 4), "404");
    assert_string_not_equal(outcome(router, "GET", line_of(ROUTE_PARAMETERS_MAX, "v#") + 4), "404");
    router = router_of(rest, 1);
    assert_string_equal(outcome(router, "GET", "/"), "GET /{rest*} rest=");
    assert_string_not_equal(outcome(router, "GET", line_of(ROUTE_SEGMENTS_MAX, "x") + 4), "404");
    assert_string_equal(outcome(router, "GET", line_of(ROUTE_SEGMENTS_MAX + 1, "x") + 4), "404");
}

static void a_thousand_routes_are_all_found(void **state)
{
    struct router *router = router_new(&arena);
    char path[40];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct buf line;

        /* 389 and 1000 have no common divisor: every number once, in no order */
        buf_init(&line, &arena);
        buf_printf(&line, "GET /r%u/{id:int}", i * 389 % 1000);
        assert_int_equal(add(router, buf_as_text(&line)), ROUTE_ADDED);
    }
    for (unsigned i = 0; i < 1000; i++) {
        struct buf expected;

        buf_init(&expected, &arena);
        buf_printf(&expected, "GET /r%u/{id:int} id:=%u", i, i);
        snprintf(path, sizeof path, "/r%u/%u", i, i);
        assert_string_equal(outcome(router, "GET", path), buf_as_text(&expected));
    }
    assert_string_equal(outcome(router, "GET", "/r1000/1"), "404");
}

static void an_allow_field(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, &arena);
    route_allow(&out, 0);
    assert_int_equal(out.len, 0);
    route_allow(&out, (1u << METHOD_COUNT) - 1);
    assert_string_equal(buf_as_text(&out), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_meet_their_patterns),
        cmocka_unit_test(fixed_beats_int_beats_any_beats_rest),
        cmocka_unit_test(a_pattern_without_the_method_gives_way),
        cmocka_unit_test(allow_has_all_methods_of_the_path),
        cmocka_unit_test(overlaps),
        cmocka_unit_test(an_explicit_head_wins_whatever_came_first),
        cmocka_unit_test(an_overlap_changes_nothing),
        cmocka_unit_test(names_belong_to_the_route),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(segments_and_parameters_are_bounded),
        cmocka_unit_test(a_thousand_routes_are_all_found),
        cmocka_unit_test(an_allow_field),
    };

    return cmocka_run_group_tests_name("lib/route", tests, setup, teardown);
}
