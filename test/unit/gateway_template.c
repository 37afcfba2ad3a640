/* gateway_template: a reply is what its template says, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/template.h"

static struct arena arena;

/* The route and the replies that all cases share. */
#define PATTERN "GET /{id:int}/{name}"
static const char user[] = "{\"user\":{\"name\":\"Ana \\u00e9\",\"price\":12.50,\"id\":"
                           "12345678901234567890123},\"list\":[1, 2,[3]],\"none\":null}";

struct check {
    const char *template, *expected; /* NULL: the whole value is missing */
};

static const struct check checks[] = {
    { "1", "1" },
    { "\"text\"", "\"text\"" },
    { "{ \"a\" : [ 1 , { } , [ ] ] }", "{\"a\":[1,{},[]]}" },
    { "\"{user}\"", user },
    { "\"{user.user.price}\"", "12.50" },
    { "\"{user.user.id}\"", "12345678901234567890123" },
    { "\"{user.user.name}\"", "\"Ana \\u00e9\"" },
    { "\"Hello {user.user.name}!\"", "\"Hello Ana é!\"" },
    { "\"{user.list}\"", "[1, 2,[3]]" },
    { "\"{user.list.1}\"", "2" },
    { "\"{user.list.2.0}\"", "3" },
    { "\"{user.none}\"", "null" },
    { "\"{id}\"", "7" },
    { "\"{name}\"", "\"a\\\"b\"" },
    { "\"no {id} of {name}\"", "\"no 7 of a\\\"b\"" },
    { "\"{query.page}\"", "\"x y\"" },
    { "\"{header.X-Who}\"", "\"me\"" },
    { "\"{{id}\"", "\"{id}\"" },
    { "\"a{{b{{\"", "\"a{b{\"" },
    { "\"{{{id}}\"", "\"{7}\"" },
    { "\"}\"", "\"}\"" },
    { "\"{user.list.3}\"", NULL },
    { "\"{user.list.x}\"", NULL },
    { "\"{user.nobody}\"", NULL },
    { "\"{orders}\"", NULL },
    { "\"{query.nothing}\"", NULL },
    { "\"text {user.none}\"", NULL },
    { "\"text {user.list}\"", NULL },
    { "{\"a\":1,\"b\":\"{orders.x}\",\"c\":2}", "{\"a\":1,\"c\":2}" },
    { "{\"b\":\"{orders.x}\",\"c\":2}", "{\"c\":2}" },
    { "{\"a\":1,\"b\":{\"c\":\"{orders.x}\"}}", "{\"a\":1}" },
    { "{\"b\":{\"c\":\"{orders.x}\"}}", NULL },
    { "[1,\"{orders.x}\",2]", "[1,null,2]" },
    { "{\"\\u0041\":\"{id}\"}", "{\"A\":7}" },
    { "{\"{{id}\":1,\"a{{\":\"{id}\"}", "{\"{id}\":1,\"a{\":7}" },
    { "\"{body}\"", "{\"a\":1,\"b\":{\"c\":\"x\"},\"price\":1.50}" },
    { "\"{body.b.c}\"", "\"x\"" },
    { "\"{body.a:int}\"", "1" },
    { "\"{body.price:int}\"", NULL },
    { "\"{body.b:int}\"", NULL },
    { "\"{query.page:int}\"", NULL },
    { "\"{query.size:int}\"", "20" },
    { "\"{user.$status}\"", "201" },
    { "\"{user.$headers.location}\"", "\"/users/7\"" },
    { "\"{user.$headers.etag}\"", NULL },
    { "\"{orders.$status}\"", NULL },
    { "{\"...\":\"{body}\",\"name\":\"{user.user.name}\"}",
        "{\"a\":1,\"b\":{\"c\":\"x\"},\"price\":1.50,\"name\":\"Ana \\u00e9\"}" },
    { "{\"a\":2,\"...\":\"{body}\"}", "{\"a\":2,\"b\":{\"c\":\"x\"},\"price\":1.50}" },
    { "{\"...\":\"{body}\",\"a\":\"{orders.x}\"}", "{\"b\":{\"c\":\"x\"},\"price\":1.50}" },
    { "{\"...\":\"{body.a}\",\"z\":1}", "{\"z\":1}" },
    { "{\"...\":\"{body.b}\"}", "{\"c\":\"x\"}" },
    { "{\"...\":\"{orders}\"}", NULL },
    { "\"{error.status} {error.title}\"", "\"503 down\"" },
    { "\"{error.status}\"", "503" },
    { "\"{each}\"", "{\"id\":3.0,\"tags\":[\"x\"]}" },
    { "\"{each.id}\"", "3.0" },
    { "\"{each.tags.0}\"", "\"x\"" },
    { "\"{each.tags.1}\"", NULL },
    { "\"{each.id:int}\"", NULL },
    { "\"{reply.$status}\"", "404" },
    { "\"{reply.name}\"", "\"Ben\"" },
    { "\"{reply.$headers.ETag}\"", NULL },
    { "{\"...\":\"{each}\",\"tags\":\"{reply.none}\",\"by\":\"{reply.name} of {user.user.price}\"}",
        "{\"id\":3.0,\"by\":\"Ben of 12.50\"}" },
};

static struct template *compile(const char *text, struct mistakes *mistakes)
{
    struct settings settings = { .arena = &arena, .mistakes = mistakes };
    struct reference_scope scope = {
        .pattern = STR(PATTERN),
        .calls = { STR("user"), STR("orders") },
        .call_count = 2,
        .has_error = true,
        .has_each = true,
        .has_reply = true,
    };
    mistakes_init(mistakes, &arena, "test", str_of(text));
    assert_true(json_read(&settings.json, str_of(text), &arena, NULL));
    return template_new(&settings, 0, &scope);
}

static void values_are_put_in(void **state)
{
    (void)state;
    char *variables[] = { "HTTP_X_WHO=me", NULL };
    struct request request = {
        .arena = &arena, .query = STR("page=x+y&size=20"), .variables = variables
    };
    struct route_match match = {
        .parameters = { { STR("id"), STR("007"), true }, { STR("name"), STR("a\"b"), false } },
        .parameter_count = 2,
    };
    struct call_field location = { STR("Location"), STR("/users/7"), NULL };
    struct call call = { .status = 201, .first_field = &location };
    struct call_reply replies[2] = { { .is_there = true, .call = &call }, { .is_there = false } };
    struct json body;
    assert_true(
        json_read(&body, STR("{\"a\":1,\"b\":{\"c\":\"x\"},\"price\":1.50}"), &arena, NULL));
    assert_true(json_read(&replies[0].json, str_of(user), &arena, NULL));
    struct json list;
    assert_true(json_read(&list, STR("[0,{\"id\":3.0,\"tags\":[\"x\"]}]"), &arena, NULL));
    struct call missed = { .status = 404 };
    struct call_reply reply = { .is_there = true, .call = &missed };
    assert_true(json_read(&reply.json, STR("{\"name\":\"Ben\"}"), &arena, NULL));
    struct error_values error = { STR("down"), STR("why"), 503, "broken" };
    struct reference_values values = {
        .request = &request,
        .match = &match,
        .body = &body,
        .replies = replies,
        .error = &error,
        .each = &list,
        .element = json_element(&list, 0, 1),
        .reply = &reply,
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct mistakes mistakes;
        struct template *template = compile(checks[i].template, &mistakes);
        assert_int_equal(mistakes.count, 0);
        struct buf out;
        buf_init(&out, &arena);
        bool is_there = template_write(template, &values, &out);
        assert_true(is_there == (checks[i].expected != NULL));
        assert_string_equal(buf_as_text(&out), is_there ? checks[i].expected : "");
    }
}

static void a_target_is_percent_encoded(void **state)
{
    (void)state;
    struct request request = { .arena = &arena, .query = STR("q=a%2Fb%26") };
    struct route_match match = {
        .parameters = { { STR("id"), STR("7"), true }, { STR("name"), STR("é /?"), false } },
        .parameter_count = 2,
    };
    struct reference_values values = { .request = &request, .match = &match };
    struct mistakes mistakes;
    struct settings settings = { .arena = &arena, .mistakes = &mistakes };
    struct reference_scope scope = { .pattern = STR(PATTERN) };
    struct buf out;
    buf_init(&out, &arena);
    struct template_text *text =
        template_text_new(&settings, 0, STR("/x/{name}/{id}?q={query.q}"), &scope);
    assert_null(template_text_write_target(text, &values, &out));
    assert_string_equal(buf_as_text(&out), "/x/%C3%A9%20%2F%3F/7?q=a%2Fb%26");
}

static void a_target_stays_where_it_is(void **state)
{
    static const char *const queries[] = { "none=1", "q=", "q=.", "q=..", "q=%2E%2e" };
    (void)state;
    struct mistakes mistakes;
    struct settings settings = { .arena = &arena, .mistakes = &mistakes };
    struct reference_scope scope = { .pattern = STR(PATTERN) };
    struct template_text *text = template_text_new(&settings, 0, STR("/{query.q}/x"), &scope);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct request request = { .arena = &arena, .query = str_of(queries[i]) };
        struct reference_values values = { .request = &request };
        struct buf out;
        buf_init(&out, &arena);
        assert_non_null(template_text_write_target(text, &values, &out));
    }
}

struct target_check {
    const char *target, *expected; /* NULL: it cannot be written */
};

/* query: a=1&empty=&page=x, body: {"n":5,"null":null,"list":[]}, no header fields, no replies */
static const struct target_check target_checks[] = {
    { "/x?a={query.a}", "/x?a=1" },
    { "/x?a={query.none}", "/x" },
    { "/x?a={query.none}&b=2", "/x?b=2" },
    { "/x?b=2&a={query.none}", "/x?b=2" },
    { "/x?b=2&a={query.none}&c=3", "/x?b=2&c=3" },
    { "/x?a={query.none}&b={header.none}&c={body.none}", "/x" },
    { "/x?a={query.none}&b={query.a}&c={body.none}", "/x?b=1" },
    { "/x?a=({query.a}-{query.none}-{query.a})&b=2", "/x?b=2" },
    { "/x?a={query.empty}&b={body.n}", "/x?a=&b=5" },
    { "/x?a={query.page:int}&b={body.null}", "/x" },
    { "/x?{query.none}&{query.a}", "/x?1" },
    { "/x?", "/x?" },
    { "/x?a=1&&b=2", "/x?a=1&&b=2" },
    { "/x?a={body.list}", NULL },
    { "/x?a={user.id}", NULL },
    { "/x?a={user.$status}", NULL },
    { "/{query.none}?a=1", NULL },
};

static void a_query_parameter_that_the_client_left_out_is_left_out(void **state)
{
    (void)state;
    char *variables[] = { NULL };
    struct request request = {
        .arena = &arena, .query = STR("a=1&empty=&page=x"), .variables = variables
    };
    struct json body;
    assert_true(json_read(&body, STR("{\"n\":5,\"null\":null,\"list\":[]}"), &arena, NULL));
    struct call_reply replies[1] = { { .is_there = false } };
    struct reference_values values = { .request = &request, .body = &body, .replies = replies };
    for (size_t i = 0; i < sizeof target_checks / sizeof *target_checks; i++) {
        const struct target_check *check = &target_checks[i];
        struct mistakes mistakes;
        struct settings settings = { .arena = &arena, .mistakes = &mistakes };
        struct reference_scope scope = {
            .pattern = STR(PATTERN), .calls = { STR("user") }, .call_count = 1
        };
        struct buf out;
        buf_init(&out, &arena);
        struct template_text *text = template_text_new(&settings, 0, str_of(check->target), &scope);
        bool is_there = !template_text_write_target(text, &values, &out);
        assert_true(is_there == (check->expected != NULL));
        if (is_there)
            assert_string_equal(buf_as_text(&out), check->expected);
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
        cmocka_unit_test(values_are_put_in),
        cmocka_unit_test(a_target_is_percent_encoded),
        cmocka_unit_test(a_target_stays_where_it_is),
        cmocka_unit_test(a_query_parameter_that_the_client_left_out_is_left_out),
    };
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, end);
}
