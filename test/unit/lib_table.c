/* lib_table: rows as JSON, and money that keeps every cent. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/table.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *const steps[] = {
    "CREATE TABLE cups (id INTEGER, name TEXT, is_full INTEGER, price INTEGER) STRICT;"
    "INSERT INTO cups VALUES (1, 'Chá \"da casa\"\n☕', 1, 1250), (-2, '', 0, 5),"
    "                        (9223372036854775807, NULL, NULL, NULL)",
};
static const struct db_schema schema = { steps, COUNT(steps), 1 };

static const struct column columns[] = {
    { .name = "id", .type = COLUMN_INT },
    { .name = "name", .type = COLUMN_TEXT },
    { .name = "is_full", .type = COLUMN_BOOL },
    { .name = "price", .type = COLUMN_CENTS },
};
static const struct table cups = { columns, COUNT(columns) };

#define ROW_1 "{\"id\":1,\"name\":\"Chá \\\"da casa\\\"\\n☕\",\"is_full\":true,\"price\":12.50}"
#define ROW_2 "{\"id\":-2,\"name\":\"\",\"is_full\":false,\"price\":0.05}"
#define ROW_3 "{\"id\":9223372036854775807,\"name\":null,\"is_full\":null,\"price\":null}"

static char folder[256], path[300];
static struct arena arena;
static struct buf out;
static struct db *db;

static int setup(void **state)
{
    char error[512];
    (void)state;
    arena_init(&arena);
    buf_init(&out, &arena);
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/lib_table.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/cups.db", folder);
    if (!db_prepare(path, &schema, error, sizeof error))
        return -1;
    db = db_open(path, error, sizeof error);
    return db ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    db_close(db); /* the last connection takes -wal and -shm away */
    arena_clear(&arena);
    unlink(path);
    return rmdir(folder);
}

static void cents(void **state)
{
    static const struct {
        int64_t cents;
        const char *expected;
    } cases[] = {
        { 0, "0.00" },
        { 5, "0.05" },
        { -5, "-0.05" },
        { 99, "0.99" },
        { 100, "1.00" },
        { -100, "-1.00" },
        { 1250, "12.50" },
        { -1250, "-12.50" },
        { 10000000, "100000.00" },
        { 9007199254740993, "90071992547409.93" }, /* no double has this value */
        { INT64_MAX, "92233720368547758.07" },
        { INT64_MIN, "-92233720368547758.08" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        out.len = 0;
        table_write_cents(&out, cases[i].cents);
        assert_string_equal(buf_as_text(&out), cases[i].expected);
    }
}

static void one_row(void **state)
{
    static const char *const expected[] = { ROW_1, ROW_2, ROW_3 };
    (void)state;
    struct query *query = db_query(db, "SELECT * FROM cups");
    for (size_t i = 0; i < COUNT(expected); i++) {
        out.len = 0;
        assert_int_equal(query_step(query), DB_ROW);
        table_write_row(&out, &cups, query);
        assert_string_equal(buf_as_text(&out), expected[i]);
    }
    query_end(query);
}

static void all_rows(void **state)
{
    static const struct {
        const char *sql;
        int64_t count;
        const char *expected;
    } cases[] = {
        { "SELECT * FROM cups WHERE id = 0", 0, "[]" },
        { "SELECT * FROM cups WHERE id = 1", 1, "[" ROW_1 "]" },
        { "SELECT * FROM cups WHERE id > -3", 3, "[" ROW_1 "," ROW_2 "," ROW_3 "]" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t count = -1;
        out.len = 0;
        assert_int_equal(
            table_write_rows(&out, &cups, db_query(db, cases[i].sql), &count), DB_DONE);
        assert_int_equal(count, cases[i].count);
        assert_string_equal(buf_as_text(&out), cases[i].expected);
    }
}

static void failing_query_is_reported_and_ended(void **state)
{
    static const char sql[] = "SELECT abs(id - 9223372036854775807 - 1 + ?1), '', 0, 0 FROM cups"
                              " WHERE id = 9223372036854775807";
    int64_t count;
    (void)state;
    assert_int_equal(table_write_rows(&out, &cups, db_query(db, "SELEKT"), &count), DB_FAILED);
    struct query *query = db_query(db, sql);
    query_bind_int(query, 1, INT64_MIN + 1); /* abs() of the smallest number overflows */
    assert_int_equal(table_write_rows(&out, &cups, query, &count), DB_FAILED);
    assert_string_equal(db_message(db), "integer overflow");
    query = db_query(db, sql);
    query_bind_int(query, 1, 0);
    assert_int_equal(table_write_rows(&out, &cups, query, &count), DB_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(cents),
        TEST(one_row),
        TEST(all_rows),
        TEST(failing_query_is_reported_and_ended),
    };

    return cmocka_run_group_tests_name("lib/table", tests, NULL, NULL);
}
