/* lib_validate: bodies held against a table of columns: every type, every way to be wrong. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/validate.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define NOW 1732782600 /* 2024-11-28 08:30:00 UTC */

static const char *check_upper(struct str text)
{
    return text.at[0] >= 'A' && text.at[0] <= 'Z' ? NULL : "must begin with a capital";
}

static const char *const sizes[] = { "small", "large", NULL };

enum { ID, NAME, NOTE, SIZE, PRICE, COUNT_, FULL, DAY, TIME, OWNER, OWNER_NAME, COLUMNS };

static const struct column columns[] = {
    [ID] = { .name = "id", .type = COLUMN_INT, .is_read_only = true },
    [NAME] = { .name = "name", .type = COLUMN_TEXT, .min = 2, .max = 4, .check = check_upper },
    [NOTE] = { .name = "note", .type = COLUMN_TEXT, .max = 3, .fallback = "" },
    [SIZE] = { .name = "size", .type = COLUMN_TEXT, .values = sizes, .fallback = "small" },
    [PRICE] = { .name = "price", .type = COLUMN_CENTS, .max = 1000, .fallback = "2.5" },
    [COUNT_] = { .name = "count", .type = COLUMN_INT, .fallback = "7" },
    [FULL] = { .name = "full", .type = COLUMN_BOOL, .fallback = "true" },
    [DAY] = { .name = "day", .type = COLUMN_DATE, .fallback = "now" },
    [TIME] = { .name = "time", .type = COLUMN_MINUTE, .fallback = "now" },
    [OWNER] = { .name = "owner", .type = COLUMN_INT, .min = 1, .max = 9 },
    [OWNER_NAME] = { .name = "owner_name", .type = COLUMN_TEXT, .is_derived = true },
};
static const struct table cups = { columns, COLUMNS };

static struct arena arena;
static struct record record;

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

/* What is wrong with the body, "" where nothing is. */
static const char *validate(enum validate_kind kind, const char *body)
{
    struct json json;
    struct buf fields;
    buf_init(&fields, &arena);
    if (!json_read(&json, str_of(body), &arena, NULL))
        fail_msg("no JSON: %s", body);
    const struct validation validation = {
        .table = &cups, .json = &json, .arena = &arena, .kind = kind, .id = 5, .now = NOW
    };
    bool is_valid = validate_body(&validation, &record, &fields);
    assert_int_equal(is_valid, fields.len == 0);
    return buf_as_text(&fields);
}

#define GOOD "\"name\":\"Cup\",\"owner\":1,\"owner_name\":\"Ana\""

static void bodies(void **state)
{
    static const struct {
        enum validate_kind kind;
        const char *body, *fields;
    } cases[] = {
        { VALIDATE_NEW, "{" GOOD "}", "" },
        { VALIDATE_NEW, "{}", "{\"name\":\"is required\",\"owner\":\"is required\"}" },
        { VALIDATE_NEW, "{\"name\":\"Cup\",\"owner\":1}", "{\"owner_name\":\"is required\"}" },
        { VALIDATE_NEW, "{\"name\":\"Cup\",\"owner\":0}", "{\"owner\":\"must be from 1 to 9\"}" },
        { VALIDATE_NEW, "{" GOOD ",\"id\":5}", "{\"id\":\"is given by the service\"}" },
        { VALIDATE_WHOLE, "{" GOOD ",\"id\":5}", "" },
        { VALIDATE_WHOLE, "{" GOOD ",\"id\":5.0}", "" },
        { VALIDATE_WHOLE, "{" GOOD ",\"id\":6}", "{\"id\":\"must be the one in the path\"}" },
        { VALIDATE_WHOLE, "{" GOOD ",\"id\":\"5\"}", "{\"id\":\"must be the one in the path\"}" },
        { VALIDATE_WHOLE, "{" GOOD ",\"id\":null}", "{\"id\":\"must be the one in the path\"}" },
        { VALIDATE_WHOLE, "{}", "{\"name\":\"is required\",\"owner\":\"is required\"}" },
        { VALIDATE_PATCH, "{}", "" },
        { VALIDATE_PATCH, "{\"id\":5}", "" },
        { VALIDATE_PATCH, "{\"size\":null,\"note\":null,\"price\":null}", "" },
        { VALIDATE_PATCH, "{\"name\":null,\"owner_name\":null}",
            "{\"name\":\"cannot be removed\",\"owner_name\":\"cannot be removed\"}" },
        { VALIDATE_NEW, "{" GOOD ",\"size\":null}", "{\"size\":\"must be a text\"}" },
        { VALIDATE_NEW, "{" GOOD ",\"zz\":1,\"a\":2,\"zz\":3}",
            "{\"zz\":\"is not known\",\"a\":\"is not known\"}" },
        { VALIDATE_NEW, "{" GOOD ",\"name\":\"Mug\",\"x\":{\"name\":1}}",
            "{\"name\":\"stands twice in the body\",\"x\":\"is not known\"}" },
        { VALIDATE_PATCH, "{\"name\":\"Mug\",\"n\\u0061me\":null}",
            "{\"name\":\"stands twice in the body\"}" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *fields = validate(cases[i].kind, cases[i].body);
        if (strcmp(fields, cases[i].fields) != 0)
            fail_msg("%s: %s", cases[i].body, fields);
    }
}

static const char half_wrong[] = "must not contain half of a surrogate pair";
static const char day_wrong[] = "must be a date such as 2024-11-28";
static const char time_wrong[] = "must be a time such as 2024-11-28 08:30";
static const char money_wrong[] = "must be a number with at most 2 decimals";
static const struct {
    int column;
    const char *value, *wrong;
} value_cases[] = {
    { NAME, "\"Cup\"", NULL },
    { NAME, "\"C\xC3\xA9\xE2\x98\x95\xF0\x9F\x98\x80\"", NULL }, /* 4 characters */
    { NAME, "\"C\"", "must have from 2 to 4 characters" },
    { NAME, "\"Cup 1\"", "must have from 2 to 4 characters" },
    { NAME, "\"\"", "must not be empty" },
    { NAME, "\" \\t \"", "must not be empty" },
    { NAME, "\"cup\"", "must begin with a capital" },
    { NAME, "\"C\\u0000p\"", "must not contain NUL (\\u0000)" },
    { NAME, "\"C\\uD800p\"", half_wrong },
    { NAME, "\"C\\udc00p\"", half_wrong },
    { NAME, "\"C\\uD83D\\uDE00\"", NULL },
    { NAME, "\"C\\uFFFD\"", NULL },
    { NAME, "\"C\xEF\xBF\xBD\"", NULL },
    { NAME, "7", "must be a text" },
    { NAME, "[\"Cup\"]", "must be a text" },
    { NOTE, "\"\"", NULL },
    { NOTE, "\"  \"", NULL },
    { NOTE, "\"abcd\"", "must have from 0 to 3 characters" },
    { SIZE, "\"large\"", NULL },
    { SIZE, "\"Large\"", "must be small or large" },
    { SIZE, "\"\"", "must be small or large" },
    { PRICE, "10", NULL },
    { PRICE, "10.00", NULL },
    { PRICE, "10.01", "must be from 0.00 to 10.00" },
    { PRICE, "-0.01", "must be from 0.00 to 10.00" },
    { PRICE, "0.001", money_wrong },
    { PRICE, "\"1\"", money_wrong },
    { COUNT_, "9007199254740991", NULL },
    { COUNT_, "9007199254740992", "must be from -9007199254740991 to 9007199254740991" },
    { COUNT_, "1e99", "must be from -9007199254740991 to 9007199254740991" },
    { COUNT_, "1.5", "must be a whole number" },
    { COUNT_, "true", "must be a whole number" },
    { FULL, "false", NULL },
    { FULL, "0", "must be true or false" },
    { FULL, "\"true\"", "must be true or false" },
    { DAY, "\"2024-02-29\"", NULL },
    { DAY, "\"2000-02-29\"", NULL },
    { DAY, "\"2023-02-29\"", day_wrong },
    { DAY, "\"1900-02-29\"", day_wrong },
    { DAY, "\"2024-04-31\"", day_wrong },
    { DAY, "\"2024-13-01\"", day_wrong },
    { DAY, "\"2024-00-01\"", day_wrong },
    { DAY, "\"2024-01-00\"", day_wrong },
    { DAY, "\"2024-1-01\"", day_wrong },
    { DAY, "\"2024-01-01 \"", day_wrong },
    { DAY, "\"\"", day_wrong },
    { DAY, "\"2024-01-0x\"", day_wrong },
    { TIME, "\"2024-11-28 23:59\"", NULL },
    { TIME, "\"2024-11-28 24:00\"", time_wrong },
    { TIME, "\"2024-11-28 08:60\"", time_wrong },
    { TIME, "\"2024-11-28T08:30\"", time_wrong },
    { TIME, "\"2024-11-28\"", time_wrong },
    { TIME, "\"2023-02-29 08:30\"", time_wrong },
};

/* One value in a patch: what is wrong with it, or NULL. */
static void values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(value_cases); i++) {
        const char *name = columns[value_cases[i].column].name;
        struct buf body, expected;
        buf_init(&body, &arena);
        buf_init(&expected, &arena);
        buf_printf(&body, "{\"%s\":%s}", name, value_cases[i].value);
        if (value_cases[i].wrong) {
            validate_add(&expected, str_of(name), value_cases[i].wrong);
            validate_end(&expected);
        }
        const char *fields = validate(VALIDATE_PATCH, buf_as_text(&body));
        if (strcmp(fields, buf_as_text(&expected)) != 0)
            fail_msg("%s: %s", buf_as_text(&body), fields);
        assert_true(value_cases[i].wrong || record.values[value_cases[i].column].is_set);
    }
}

static void what_is_said_and_what_falls_back(void **state)
{
    (void)state;
    assert_string_equal(validate(VALIDATE_NEW, "{" GOOD ",\"price\":1.25}"), "");
    assert_false(record.values[ID].is_set);
    assert_true(str_is(record.values[NAME].text, "Cup"));
    assert_true(record.values[NOTE].is_set && record.values[NOTE].text.len == 0);
    assert_true(str_is(record.values[SIZE].text, "small"));
    assert_int_equal(record.values[PRICE].number, 125);
    assert_int_equal(record.values[COUNT_].number, 7);
    assert_int_equal(record.values[FULL].number, 1);
    assert_true(str_is(record.values[DAY].text, "2024-11-28"));
    assert_true(str_is(record.values[TIME].text, "2024-11-28 08:30"));
    assert_string_equal(validate(VALIDATE_WHOLE, "{" GOOD "}"), "");
    assert_int_equal(record.values[PRICE].number, 250);
}

/* RFC 7396: what is not said stays, null removes; here nothing can be without a value. */
static void a_patch_sets_only_what_it_says(void **state)
{
    (void)state;
    assert_string_equal(validate(VALIDATE_PATCH, "{\"full\":false,\"price\":null,\"id\":5}"), "");
    for (int i = 0; i < COLUMNS; i++)
        assert_int_equal(record.values[i].is_set, i == FULL || i == PRICE);
    assert_int_equal(record.values[FULL].number, 0);
    assert_int_equal(record.values[PRICE].number, 250);
}

static void unknown_members_are_bounded(void **state)
{
    struct buf body;
    (void)state;
    buf_init(&body, &arena);
    buf_text(&body, "{\"m\":1");
    for (int i = 0; i < 10000; i++)
        buf_printf(&body, ",\"m%d\":1", i);
    buf_text(&body, "}");
    const char *fields = validate(VALIDATE_PATCH, buf_as_text(&body));
    assert_non_null(strstr(fields, "\"m30\":\"is not known\"}"));
    assert_null(strstr(fields, "m31"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(bodies),
        TEST(values),
        TEST(what_is_said_and_what_falls_back),
        TEST(a_patch_sets_only_what_it_says),
        TEST(unknown_members_are_bounded),
    };

    return cmocka_run_group_tests_name("lib/validate", tests, NULL, NULL);
}
