/* gateway_setting: durations, sizes and the environment are read as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/setting.h"

static struct arena arena;

static struct settings settings_of(const char *text, struct mistakes *mistakes)
{
    struct settings settings = { .arena = &arena, .mistakes = mistakes };
    mistakes_init(mistakes, &arena, "test", str_of(text));
    assert_true(json_read(&settings.json, str_of(text), &arena, NULL));
    return settings;
}

struct number_check {
    const char *text;
    long long expected; /* -1: a mistake */
};

static void durations(void **state)
{
    static const struct number_check checks[] = {
        { "\"1ms\"", 1 },
        { "\"120ms\"", 120 },
        { "\"5s\"", 5000 },
        { "\"2min\"", 120000 },
        { "\"24h\"", 86400000 },
        { "\"${SETTING_TEST:-7s}\"", 7000 },
        { "\"0s\"", -1 },
        { "\"25h\"", -1 },
        { "\"-5s\"", -1 },
        { "\" 5s\"", -1 },
        { "\"5\"", -1 },
        { "\"5 s\"", -1 },
        { "\"5sec\"", -1 },
        { "\"1.5s\"", -1 },
        { "\"\"", -1 },
        { "\"99999999999999999999s\"", -1 },
        { "\"9223372036854775807h\"", -1 },
        { "5", -1 },
        { "null", -1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct mistakes mistakes;
        struct settings settings = settings_of(checks[i].text, &mistakes);
        int duration_ms = -1;
        bool is_good = setting_duration(&settings, 0, &duration_ms);
        assert_int_equal(duration_ms, checks[i].expected);
        assert_true(is_good == (checks[i].expected >= 0));
        assert_int_equal(mistakes.count, !is_good);
    }
}

static void sizes(void **state)
{
    static const struct number_check checks[] = {
        { "\"0B\"", 0 },
        { "\"512B\"", 512 },
        { "\"64KiB\"", 65536 },
        { "\"10MiB\"", 10485760 },
        { "\"2GiB\"", 2147483648LL },
        { "\"1KB\"", -1 },
        { "\"1kib\"", -1 },
        { "\"9223372036854775807GiB\"", -1 },
        { "65536", -1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct mistakes mistakes;
        struct settings settings = settings_of(checks[i].text, &mistakes);
        int64_t bytes = -1;
        assert_true(setting_size(&settings, 0, &bytes) == (checks[i].expected >= 0));
        assert_int_equal(bytes, checks[i].expected);
    }
}

struct text_check {
    const char *text, *plain, *template; /* NULL: a mistake */
};

static void the_environment(void **state)
{
    static const struct text_check checks[] = {
        { "\"x\"", "x", "x" },
        { "\"a${SETTING_A}b\"", "a1b", "a1b" },
        { "\"${SETTING_A:-2}\"", "1", "1" },
        { "\"${SETTING_UNSET:-2}\"", "2", "2" },
        { "\"${SETTING_UNSET:-}\"", "", "" },
        { "\"${SETTING_EMPTY:-2}\"", "2", "2" },
        { "\"${SETTING_EMPTY}\"", "", "" },
        { "\"${SETTING_BRACE}\"", "{x}", "{{x}" },
        { "\"${SETTING_A}${SETTING_A}\"", "11", "11" },
        { "\"$x {y} $\"", "$x {y} $", "$x {y} $" },
        { "\"$${SETTING_A} $${ $$x $$$${\"", "${SETTING_A} ${ $$x $$${",
            "${{SETTING_A} ${{ $$x $$${{" },
        { "\"${SETTING A:-x}\"", NULL, NULL },
        { "\"${:-x}\"", NULL, NULL },
        { "\"${SETTING_A\\u0000:-x}\"", NULL, NULL },
        { "\"a\\u0000b\"", NULL, NULL },
        { "\"${SETTING_UNSET}\"", NULL, NULL },
        { "\"${SETTING_A\"", NULL, NULL },
        { "7", NULL, NULL },
    };
    (void)state;
    setenv("SETTING_A", "1", 1);
    setenv("SETTING_EMPTY", "", 1);
    setenv("SETTING_BRACE", "{x}", 1);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct mistakes mistakes;
        struct settings settings = settings_of(checks[i].text, &mistakes);
        struct str text;
        assert_true(setting_text(&settings, 0, &text) == (checks[i].plain != NULL));
        assert_true(!checks[i].plain || str_is(text, checks[i].plain));
        assert_true(setting_template_text(&settings, 0, &text) == (checks[i].template != NULL));
        assert_true(!checks[i].template || str_is(text, checks[i].template));
    }
}

static void names_and_words(void **state)
{
    static const struct {
        const char *text;
        bool is_name, is_word;
    } checks[] = {
        { "\"users\"", true, true },
        { "\"Users service\"", true, false },
        { "\"caf\u00e9\"", true, true },
        { "\"a\\tb\"", false, false },
        { "\"a\\u007fb\"", false, false },
        { "\"a\\u0000\"", false, false },
        { "\"a:b\"", true, false },
        { "\"\"", true, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct mistakes mistakes;
        struct settings settings = settings_of(checks[i].text, &mistakes);
        struct str text = json_string(&settings.json, 0, &arena);
        assert_true(setting_is_word(text, ":") == checks[i].is_word);
        assert_true(setting_name(&settings, 0, &text) == checks[i].is_name);
        assert_int_equal(mistakes.count, !checks[i].is_name);
    }
}

static void the_nearest_word_is_suggested(void **state)
{
    static const char *const known[] = { "timeout", "title", "servers" };
    (void)state;
    struct {
        const char *word, *expected;
    } checks[] = {
        { "timeot", " (did you mean 'timeout'?)" },
        { "titel", " (did you mean 'title'?)" },
        { "server", " (did you mean 'servers'?)" },
        { "sevrers", " (did you mean 'servers'?)" },
        { "TIMEOUT", " (did you mean 'timeout'?)" },
        { "Servers", " (did you mean 'servers'?)" },
        { "TitEl", " (did you mean 'title'?)" },
        { "banana", " (known here: timeout, title, servers)" },
        { "", " (known here: timeout, title, servers)" },
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        assert_string_equal(
            mistake_suggestion(&arena, str_of(checks[i].word), known, 3), checks[i].expected);
    assert_string_equal(mistake_suggestion(&arena, STR("x"), known, 0), "");
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
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(the_environment),
        cmocka_unit_test(names_and_words),
        cmocka_unit_test(the_nearest_word_is_suggested),
    };
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, end);
}
