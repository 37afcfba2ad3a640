/* gateway_errors: who asks for problem details, which status, title and body an error has, and what
 * the log says of a call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/error_body.h"
#include "fcgi-gateway/failure.h"
#include "fcgi-gateway/template.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct arena arena;

static void problem_details_are_asked_for_by_name(void **state)
{
    static const struct {
        const char *accept;
        bool is_asked;
    } cases[] = {
        { NULL, false },
        { "", false },
        { "*/*", false },
        { "application/*", false },
        { "application/json", false },
        { "application/problem+json", true },
        { "APPLICATION/Problem+Json", true },
        { " \tapplication/problem+json\t ", true },
        { "application/problem+jsonx", false },
        { "xapplication/problem+json", false },
        { "application/problem+json;q=0", false },
        { "application/problem+json; Q=0.000", false },
        { "application/problem+json;q=0.", false },
        { "application/problem+json;q=0.001", true },
        { "application/json, application/problem+json;q=0.1", false },
        { "application/problem+json;q=0.899, application/json;q=0.9", false },
        { "application/json;q=0.9, application/problem+json;q=0.9", true },
        { "application/json, application/problem+json", true },
        { "application/json;q=0.5, application/problem+json;q=0.51", true },
        { "application/problem+json;q=0.1, */*", true },
        { "application/problem+json;q=", true },
        { "application/problem+json;q=x", true },
        { "application/problem+json;charset=utf-8", true },
        { "application/problem+json;charset=utf-8;q=0", false },
        { "application/problem+json;q=0, application/problem+json", true },
        { "text/html;q=0.9,,application/problem+json", true },
        { "text/html;a=\",application/problem+json\"", false },
        { "text/html;a=\"\\\",application/problem+json,\\", false },
        { "application/problem+json;a=\";q=0\"", true },
        { ",;=\"\\", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (error_body_accepts_problem(cases[i].accept) != cases[i].is_asked)
            fail_msg("%s", cases[i].accept ? cases[i].accept : "no field");
}

static struct error_plan plan_of(const char *text)
{
    struct mistakes mistakes;
    struct settings settings = { .arena = &arena, .mistakes = &mistakes };
    struct error_plan plan = ERROR_PLAN_DEFAULT;
    mistakes_init(&mistakes, &arena, "errors", str_of(text));
    assert_true(json_read(&settings.json, str_of(text), &arena, NULL));
    error_plan_read(&settings, 0, &plan);
    assert_int_equal(mistakes.count, 0);
    return plan;
}

static void every_outcome_has_a_status_and_a_cause(void **state)
{
    static const struct {
        enum call_outcome outcome;
        const char *why;
        int usual, changed;
        const char *cause, *title, *message;
    } cases[] = {
        { CALL_UNREACHABLE, "why", 502, 501, "unreachable", "T unavailable", "why" },
        { CALL_TIMEOUT, NULL, 504, 504, "timeout", "T timeout",
            "Service did not respond in 1.5 seconds" },
        { CALL_TIMEOUT, "why", 504, 504, "timeout", "T timeout", "why" },
        { CALL_BROKEN, "why", 502, 502, "broken", "T error", "why" },
        { CALL_REFUSED, "why", 503, 429, "refused", "T unavailable", "why" },
        { CALL_GONE, "why", 499, 460, "gone", "T not asked", "why" },
    };
    struct error_plan usual = ERROR_PLAN_DEFAULT;
    struct error_plan changed = plan_of("{\"unreachable\":501,\"refused\":429,\"gone\":460}");
    struct upstream upstream = { .title = STR("T") };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct call call = { .upstream = &upstream,
            .outcome = cases[i].outcome,
            .cause = cases[i].why,
            .timeout_ms = 1500,
            .arena = &arena };
        struct error_values error = failure_of(&call, &usual);
        assert_int_equal(error.status, cases[i].usual);
        assert_string_equal(error.cause, cases[i].cause);
        assert_true(str_is(error.title, cases[i].title));
        assert_true(str_is(error.message, cases[i].message));
        assert_int_equal(failure_of(&call, &changed).status, cases[i].changed);
    }
}

static void calls_stand_in_the_log(void **state)
{
    static const struct {
        struct call call;
        const char *expected;
    } cases[] = {
        { { .outcome = CALL_OK }, "a=0.0ms" },
        { { .outcome = CALL_OK, .took_us = 1249, .tries = 1 }, " a=1.2ms" },
        { { .outcome = CALL_OK, .took_us = 1250, .tries = 3 }, " a=1.3ms(3 tries)" },
        { { .outcome = CALL_TIMEOUT, .took_us = 5000299 }, " a=5000.3ms(timeout)" },
        { { .outcome = CALL_BROKEN, .took_us = 9999, .tries = 2 }, " a=10.0ms(2 tries)(broken)" },
    };
    struct request request = { .arena = &arena };
    (void)state;
    buf_init(&request.log, &arena);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t before = request.log.len;
        failure_log_call(&request, STR("a"), &cases[i].call);
        assert_string_equal(buf_as_text(&request.log) + before, cases[i].expected);
    }
}

/* What the reply to a request with this Accept field says of an error, and its field lines. */
static const char *told(
    const struct error_plan *plan, const char *accept, int status, const char *message)
{
    struct buf out, field;
    char *variables[] = { NULL, NULL };
    struct request request = { .arena = &arena, .id = "id", .variables = variables };
    struct reply reply;
    buf_init(&out, &arena);
    buf_init(&field, &arena);
    buf_printf(&field, "HTTP_ACCEPT=%s", accept);
    variables[0] = (char *)buf_as_text(&field);
    reply_init(&reply, &request);
    error_body_use(&reply, plan);
    assert_int_equal(reply_error(&reply, status, "Title", message), status);
    buf_str(&out, buf_as_str(&reply.fields));
    buf_str(&out, reply.body);
    return buf_as_text(&out);
}

#define JSON "Vary: Accept\r\nContent-Type: application/json\r\n"
#define PROBLEM                                                                                    \
    "Vary: Accept\r\nContent-Type: application/problem+json\r\n{\"type\":\"about:blank\","

static void bodies_have_the_files_shape(void **state)
{
    struct error_plan usual = ERROR_PLAN_DEFAULT;
    struct error_plan shaped = plan_of("{\"body\":{\"ok\":false,\"t\":\"{error.title}\",\"m\":\"{"
                                       "error.message}\",\"c\":\"{error.cause}-{error.status}\"}}");
    struct error_plan text = plan_of("{\"body\":\"{error.message}\"}");
    struct error_plan none = plan_of("{\"body\":null}");
    (void)state;
    assert_string_equal(told(&usual, "", 404, NULL), JSON "{\"error\":\"Title\"}");
    assert_string_equal(
        told(&usual, "", 404, "\"é\""), JSON "{\"error\":\"Title\",\"message\":\"\\\"é\\\"\"}");
    assert_string_equal(told(&none, "", 404, NULL), JSON "{\"error\":\"Title\"}");
    assert_string_equal(told(&shaped, "", 404, "m"),
        JSON "{\"ok\":false,\"t\":\"Title\",\"m\":\"m\",\"c\":\"route-404\"}");
    assert_string_equal(told(&shaped, "", 413, NULL),
        JSON "{\"ok\":false,\"t\":\"Title\",\"m\":\"Title\",\"c\":\"request-413\"}");
    assert_string_equal(told(&text, "", 500, "m"), JSON "\"m\"");
    assert_true(
        str_is(shaped.crash_body, "{\"ok\":false,\"t\":\"Internal Server Error\",\"m\":\"The "
                                  "gateway made a mistake\",\"c\":\"internal-500\"}"));
    assert_null(usual.crash_body.at);
    assert_string_equal(told(&shaped, "application/problem+json", 500, "\"m\""), PROBLEM
        "\"title\":\"Internal Server Error\",\"status\":500,\"detail\":\"Title: \\\"m\\\"\","
        "\"instance\":\"urn:request:id\",\"cause\":\"internal\"}");
    assert_string_equal(told(&usual, "application/problem+json", 499, NULL),
        PROBLEM "\"title\":\"Title\",\"status\":499,\"detail\":\"Title\","
                "\"instance\":\"urn:request:id\",\"cause\":\"request\"}");
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
        cmocka_unit_test(problem_details_are_asked_for_by_name),
        cmocka_unit_test(every_outcome_has_a_status_and_a_cause),
        cmocka_unit_test(calls_stand_in_the_log),
        cmocka_unit_test(bodies_have_the_files_shape),
    };
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, end);
}
