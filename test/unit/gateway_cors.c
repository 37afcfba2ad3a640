/* gateway_cors: what the file may say of CORS, and which origins are allowed by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/cors.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SHAPE ": write \"https://shop.example\", \"https://*.shop.example\", \"null\" or \"*\"\n"

static struct arena arena;

/* The plan, and the mistakes as "x:1:COLUMN: text" lines. */
static const struct cors_plan *read_plan(const char *text, const char **said)
{
    struct mistakes mistakes;
    struct settings settings = { .arena = &arena, .mistakes = &mistakes };
    char *printed;
    size_t len;
    FILE *out = open_memstream(&printed, &len);
    mistakes_init(&mistakes, &arena, "x", str_of(text));
    assert_true(json_read(&settings.json, str_of(text), &arena, NULL));
    const struct cors_plan *plan = cors_plan_read(&settings, 0);
    mistakes_print(&mistakes, out);
    fclose(out);
    *said = arena_copy(&arena, printed, len);
    free(printed);
    return plan;
}

static const struct cors_plan *good_plan(const char *text)
{
    const char *said;
    const struct cors_plan *plan = read_plan(text, &said);
    assert_string_equal(said, "");
    return plan;
}

static void mistakes_are_told(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "null", "" },
        { "{\"origins\":[\"*\"]}", "" },
        { "{\"origins\":[\"null\",\"http://localhost:3000\",\"https://[::1]:8443\",\"capacitor://"
          "localhost\",\"http://10.0.0.1\"],\"headers\":[\"Content-Type\",\"*x\"],\"expose\":[\"*"
          "\"],\"max_age\":\"24h\",\"credentials\":false}",
            "" },
        { "{\"origins\":[\"https://"
          "a.b\"],\"credentials\":true,\"headers\":[\"a\",\"*b\"],\"expose\":"
          "[\"b*\"]}",
            "" },
        { "[]", "x:1:1: expected object, not array\n" },
        { "{}", "x:1:1: 'origins' is missing here\n" },
        { "{\"origins\":\"*\"}",
            "x:1:12: write an array of origins: [\"https://shop.example\"]\n" },
        { "{\"origins\":[]}", "x:1:12: write an array of origins: [\"https://shop.example\"]\n" },
        { "{\"origins\":[5]}", "x:1:13: expected string, not number\n" },
        { "{\"origins\":[\"https://a.b\",\"*\"]}",
            "x:1:27: '*' is every origin: it stands alone\n" },
        { "{\"origins\":[\"a.b\"]}", "x:1:13: 'a.b' is no origin" SHAPE },
        { "{\"origins\":[\"\"]}", "x:1:13: '' is no origin" SHAPE },
        { "{\"origins\":[\"://a\"]}", "x:1:13: '://a' is no origin" SHAPE },
        { "{\"origins\":[\"https://\"]}", "x:1:13: 'https://' is no origin" SHAPE },
        { "{\"origins\":[\"https://*.\"]}", "x:1:13: 'https://*.' is no origin" SHAPE },
        { "{\"origins\":[\"https://*\"]}", "x:1:13: 'https://*' is no origin" SHAPE },
        { "{\"origins\":[\"https://*a.b\"]}", "x:1:13: 'https://*a.b' is no origin" SHAPE },
        { "{\"origins\":[\"https://a.*.b\"]}", "x:1:13: 'https://a.*.b' is no origin" SHAPE },
        { "{\"origins\":[\"*://a.b\"]}", "x:1:13: '*://a.b' is no origin" SHAPE },
        { "{\"origins\":[\"https://A.b\"]}", "x:1:13: 'https://A.b' is no origin" SHAPE },
        { "{\"origins\":[\"HTTPS://a.b\"]}", "x:1:13: 'HTTPS://a.b' is no origin" SHAPE },
        { "{\"origins\":[\"https://a.b/\"]}", "x:1:13: 'https://a.b/' is no origin" SHAPE },
        { "{\"origins\":[\"https://u@a.b\"]}", "x:1:13: 'https://u@a.b' is no origin" SHAPE },
        { "{\"origins\":[\"https://a.b:443\"]}", "x:1:13: 'https://a.b:443' is no origin: browsers "
                                                 "leave out the port that the scheme has "
                                                 "anyway\n" },
        { "{\"origins\":[\"https://a.b:80\",\"http://a.b:443\"]}", "" },
        { "{\"origins\":[\"https://a.b:\"]}",
            "x:1:13: 'https://a.b:' is no origin: a port is a number from 1 to 65535\n" },
        { "{\"origins\":[\"https://a.b:65536\",\"https://a.b:099\",\"https://[::1]:1x\"]}",
            "x:1:13: 'https://a.b:65536' is no origin: a port is a number from 1 to 65535\n"
            "x:1:33: 'https://a.b:099' is no origin: a port is a number from 1 to 65535\n"
            "x:1:51: 'https://[::1]:1x' is no origin: a port is a number from 1 to 65535\n" },
        { "{\"origins\":[\"*\"],\"headers\":[\"a b\"],\"expose\":[],\"max_age\":\"999ms\"}",
            "x:1:29: this is no name of a header field\n"
            "x:1:45: write an array of header fields: [\"Content-Type\"]\n"
            "x:1:58: browsers count whole seconds: write \"1s\" or more\n" },
        { "{\"origins\":[\"*\"],\"credentials\":1}",
            "x:1:32: expected true or false, not number\n" },
        { "{\"origins\":[\"*\"],\"credentials\":true}",
            "x:1:1: 'credentials' does not go with the origin '*': name the origins that are "
            "trusted\n" },
        { "{\"origins\":[\"null\"],\"credentials\":true,\"headers\":[\"a\",\"*\"]}",
            "x:1:1: with 'credentials' browsers take '*' for a name: name the header fields\n" },
        { "{\"origins\":[\"null\"],\"credentials\":true,\"expose\":[\"*\",\"b\"]}",
            "x:1:1: with 'credentials' browsers take '*' for a name: name the header fields\n" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *said;
        read_plan(cases[i].text, &said);
        assert_string_equal(said, cases[i].expected);
    }
}

static void origins_are_allowed_by_the_file_alone(void **state)
{
    static const struct {
        const char *origin;
        bool by_list, by_null, by_star;
    } cases[] = {
        { "https://a.example", true, false, true },
        { "https://a.exampl", false, false, true },
        { "https://a.example0", false, false, true },
        { "https://A.example", false, false, true },
        { "http://a.example", false, false, true },
        { "https://a.example:443", false, false, true },
        { "https://x.b.example:8443", true, false, true },
        { "https://x-1.y_2.b.example:8443", true, false, true },
        { "https://b.example:8443", false, false, true },
        { "https://.b.example:8443", false, false, true },
        { "https://.x.b.example:8443", false, false, true },
        { "https://xb.example:8443", false, false, true },
        { "https://x.b.example", false, false, true },
        { "https://x.b.example:84430", false, false, true },
        { "https://evil/.b.example:8443", false, false, true },
        { "https://evil:1.b.example:8443", false, false, true },
        { "https://evil@x.b.example:8443", false, false, true },
        { "https://*.b.example:8443", false, false, true },
        { "null", false, true, true },
        { "*", false, false, true },
        { "", false, false, true },
        { NULL, false, false, true },
    };
    const struct cors_plan *list =
        good_plan("{\"origins\":[\"https://a.example\",\"https://*.b.example:8443\"]}");
    const struct cors_plan *null = good_plan("{\"origins\":[\"null\"]}");
    const struct cors_plan *star = good_plan("{\"origins\":[\"*\"]}");
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (cors_allows(list, cases[i].origin) != cases[i].by_list ||
            cors_allows(null, cases[i].origin) != cases[i].by_null ||
            cors_allows(star, cases[i].origin) != cases[i].by_star)
            fail_msg("%s", cases[i].origin ? cases[i].origin : "no origin");
}

static void plans_are_the_same_where_they_say_the_same(void **state)
{
    static const char *const others[] = {
        "{\"origins\":[\"https://a.b\"],\"headers\":[\"X-A\"]}",
        "{\"origins\":[\"https://a.c\",\"null\"],\"headers\":[\"X-A\"]}",
        "{\"origins\":[\"https://a.b\",\"null\"]}",
        "{\"origins\":[\"https://a.b\",\"null\"],\"headers\":[\"X-A\"],\"credentials\":true}",
        "null",
    };
    const struct cors_plan *plan =
        good_plan("{\"origins\":[\"https://a.b\",\"null\"],\"headers\":[\"X-A\"]}");
    (void)state;
    assert_true(cors_plan_is_same(plan,
        good_plan(
            "{\"headers\":[\"X-A\"],\"origins\":[\"https://a.b\",\"null\"],\"max_age\":\"1s\"}")));
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(cors_plan_is_same(plan, good_plan(others[i])));
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
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(origins_are_allowed_by_the_file_alone),
        cmocka_unit_test(plans_are_the_same_where_they_say_the_same),
    };
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, end);
}
