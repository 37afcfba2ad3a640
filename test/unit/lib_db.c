/* lib_db: a schema that moves forward or not at all, binds and results, fold(), one state of the
 * file for several reads, and what is said when the file cannot be used. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/db.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

#define APPLICATION 0x74657374
#define STEP_1 "CREATE TABLE cups (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT"
#define STEP_2 "INSERT INTO cups VALUES (1, 'Mocha'), (2, 'Chá'), (3, 'CHÁ')"

#define ENDLESS_STEP                                                                               \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "                             \
    "UPDATE cups SET name = (SELECT count(*) FROM n)"

static const char *const two_steps[] = { STEP_1, STEP_2 };
static const struct db_schema version_1 = { two_steps, 1, APPLICATION };
static const struct db_schema version_2 = { two_steps, 2, APPLICATION };

static char folder[256], path[300], error[512];

static int setup(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/lib_db.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/cups.db", folder);
    *error = '\0';
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = { "cups.db", "cups.db-wal", "cups.db-shm", "cups.db-journal",
        "other.db" };
    char name[320];
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        unlink(name);
    }
    return rmdir(folder);
}

static void prepare(const struct db_schema *schema)
{
    if (!db_prepare(path, schema, error, sizeof error))
        fail_msg("%s", error);
}

static struct db *open_cups(void)
{
    struct db *db = db_open(path, error, sizeof error);
    if (!db)
        fail_msg("%s", error);
    return db;
}

static int64_t number(struct db *db, const char *sql)
{
    int64_t result;
    assert_int_equal(db_number(db, sql, &result), DB_ROW);
    return result;
}

static enum db_result run(struct db *db, const char *sql)
{
    struct query *query = db_query(db, sql);
    enum db_result result = query_step(query);
    query_end(query);
    return result;
}

static void fresh_file_gets_every_step(void **state)
{
    (void)state;
    prepare(&version_2);
    struct db *db = open_cups();
    assert_int_equal(number(db, "PRAGMA user_version"), 2);
    assert_int_equal(number(db, "PRAGMA application_id"), APPLICATION);
    assert_int_equal(number(db, "SELECT count(*) FROM cups"), 3);
    db_close(db);
}

static void old_file_gets_only_the_steps_that_it_lacks(void **state)
{
    (void)state;
    prepare(&version_1);
    struct db *db = open_cups();
    assert_int_equal(number(db, "PRAGMA user_version"), 1);
    assert_int_equal(run(db, "INSERT INTO cups VALUES (10, 'Latte')"), DB_DONE);
    db_close(db);
    prepare(&version_2);
    prepare(&version_2);
    db = open_cups();
    assert_int_equal(number(db, "PRAGMA user_version"), 2);
    assert_int_equal(number(db, "SELECT count(*) FROM cups"), 4);
    db_close(db);
}

static void newer_file_is_refused_and_left_alone(void **state)
{
    char expected[512];
    (void)state;
    prepare(&version_2);
    assert_false(db_prepare(path, &version_1, error, sizeof error));
    snprintf(expected, sizeof expected,
        "%s: its schema has version 2, this program knows up to 1: "
        "run the newer program, or use another file",
        path);
    assert_string_equal(error, expected);
    prepare(&version_2);
}

static void file_of_another_program_is_refused(void **state)
{
    static const char *const steps[] = { "CREATE TABLE plates (id INTEGER)" };
    static const struct db_schema others = { steps, 1, APPLICATION + 1 };
    static const struct db_schema nobodys = { steps, 1, 0 };
    const struct db_schema *foreign[] = { &others, &nobodys };
    (void)state;
    for (size_t i = 0; i < COUNT(foreign); i++) {
        prepare(foreign[i]);
        assert_false(db_prepare(path, &version_2, error, sizeof error));
        assert_non_null(strstr(error, "another program's database"));
        unlink(path);
    }
}

static void step_that_fails_leaves_the_file_as_it_was(void **state)
{
    static const char *const steps[] = { STEP_1, STEP_2, "INSERT INTO saucers VALUES (1)" };
    static const struct db_schema broken = { steps, 3, APPLICATION };
    const struct db_schema *before[] = { NULL, &version_1 };
    (void)state;
    for (size_t i = 0; i < COUNT(before); i++) {
        if (before[i])
            prepare(before[i]);
        assert_false(db_prepare(path, &broken, error, sizeof error));
        assert_non_null(strstr(error, "no such table: saucers"));
        struct db *db = open_cups();
        assert_int_equal(number(db, "PRAGMA user_version"), before[i] ? 1 : 0);
        assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"),
            before[i] ? 1 : 0);
        db_close(db);
    }
}

/* Steps that never come to their end, until the program is killed among them. */
static void killed_half_way_it_starts_again(void **state)
{
    static const char *const steps[] = { STEP_1, STEP_2, ENDLESS_STEP };
    static const struct db_schema endless = { steps, 3, APPLICATION };
    char journal[320];
    (void)state;
    snprintf(journal, sizeof journal, "%s-journal", path);
    pid_t child = fork();
    if (child == 0) {
        db_prepare(path, &endless, error, sizeof error);
        _exit(1);
    }
    for (int i = 0; i < 5000 && access(journal, F_OK) != 0; i++) /* there once it has written */
        usleep(1000);
    assert_int_equal(access(journal, F_OK), 0);
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    prepare(&version_2);
    struct db *db = open_cups();
    assert_int_equal(number(db, "SELECT count(*) FROM cups"), 3);
    db_close(db);
}

static void *prepare_beside_others(void *result)
{
    char message[512];
    bool is_prepared = db_prepare(path, &version_2, message, sizeof message);
    if (!is_prepared)
        print_error("%s\n", message);
    *(bool *)result = is_prepared;
    return NULL;
}

static void many_may_prepare_at_once(void **state)
{
    enum { ROUNDS = 5, THREADS = 8 };
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        bool is_prepared[THREADS];
        unlink(path);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, prepare_beside_others, &is_prepared[i]), 0);
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            assert_true(is_prepared[i]);
        }
        struct db *db = open_cups();
        assert_int_equal(number(db, "SELECT count(*) FROM cups"), 3);
        db_close(db);
    }
}

static void file_that_cannot_be_used_is_named(void **state)
{
    char missing[320], text[320];
    (void)state;
    snprintf(missing, sizeof missing, "%s/nowhere/cups.db", folder);
    snprintf(text, sizeof text, "%s/other.db", folder);
    FILE *file = fopen(text, "w");
    assert_non_null(file);
    for (int i = 0; i < 100; i++)
        fputs("This is a shopping list: coffee, milk.\n", file);
    fclose(file);
    const struct {
        const char *path, *cause;
    } cases[] = {
        { missing, "No such file or directory" },
        { text, "file is not a database" },
        { folder, "unable to open database file" },
        { ":memory:", "not the path of a file" },
        { "", "not the path of a file" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(db_prepare(cases[i].path, &version_2, error, sizeof error));
        assert_memory_equal(error, cases[i].path, strlen(cases[i].path));
        if (!strstr(error, cases[i].cause))
            fail_msg("%s: %s", cases[i].path, error);
    }
    assert_null(db_open(missing, error, sizeof error));
    assert_null(db_open(path, error, sizeof error)); /* opening does not create it */
    assert_int_not_equal(access(path, F_OK), 0);
}

static void message_is_cut_to_its_room(void **state)
{
    char small[16];
    (void)state;
    memset(small, 'x', sizeof small);
    assert_false(db_prepare("/nonexistent/folder/cups.db", &version_2, small, sizeof small));
    assert_int_equal(strlen(small), sizeof small - 1);
}

static void connection_is_set_for_safety(void **state)
{
    (void)state;
    prepare(&version_2);
    struct db *db = open_cups();
    assert_int_equal(number(db, "PRAGMA synchronous"), 2); /* FULL */
    assert_int_equal(number(db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(number(db, "PRAGMA busy_timeout"), 4000);
    struct query *query = db_query(db, "PRAGMA journal_mode");
    assert_int_equal(query_step(query), DB_ROW);
    assert_true(str_is(query_text(query, 0), "wal"));
    query_end(query);
    db_close(db);
}

static void what_is_bound_comes_back(void **state)
{
    static const char sql[] = "SELECT ?1, ?2, ?2 / 2.0, length(?1), NULL";
    const struct {
        struct str text;
        int64_t number;
        int length;
    } cases[] = {
        { STR("Mocha"), 1, 5 }, { STR("Vinícius ☕"), -1, 10 },
        { STR("'; DROP TABLE cups; --"), 0, 22 }, { { NULL, 0 }, INT64_MAX, 0 },
        { { "Mocha com", 5 }, INT64_MIN, 5 }, /* not ended by a NUL */
    };
    (void)state;
    prepare(&version_2);
    struct db *db = open_cups();
    struct query *first = db_query(db, sql);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct query *query = db_query(db, sql);
        assert_ptr_equal(query, first); /* prepared once */
        query_bind_text(query, 1, cases[i].text);
        query_bind_int(query, 2, cases[i].number);
        assert_int_equal(query_step(query), DB_ROW);
        assert_true(str_eq(query_text(query, 0), cases[i].text));
        assert_true(query_int(query, 1) == cases[i].number);
        assert_true(query_real(query, 2) == (double)cases[i].number / 2);
        assert_int_equal(query_int(query, 3), cases[i].length);
        assert_false(query_is_null(query, 0));
        assert_true(query_is_null(query, 4));
        assert_int_equal(query_text(query, 4).len, 0);
        assert_int_equal(query_step(query), DB_DONE);
        query_end(query);
    }
    db_close(db);
}

static void binds_do_not_outlive_their_use(void **state)
{
    static const char sql[] = "SELECT ?1";
    (void)state;
    prepare(&version_2);
    struct db *db = open_cups();
    struct query *query = db_query(db, sql);
    query_bind_int(query, 1, 7);
    query_bind_int(query, 2, 7); /* there is no such parameter */
    assert_int_equal(query_step(query), DB_FAILED);
    assert_string_equal(db_message(db), "column index out of range");
    query_end(query);
    query = db_query(db, sql);
    assert_int_equal(query_step(query), DB_ROW);
    assert_true(query_is_null(query, 0));
    query_end(query);
    db_close(db);
}

static void failures_have_names(void **state)
{
    static const struct {
        const char *sql;
        enum db_result result;
        const char *message;
    } cases[] = {
        { "INSERT INTO cups VALUES (9, 'Mocha')", DB_CONSTRAINT,
            "UNIQUE constraint failed: cups.name" },
        { "INSERT INTO cups VALUES (9, NULL)", DB_CONSTRAINT,
            "NOT NULL constraint failed: cups.name" },
        { "SELECT * FROM saucers", DB_FAILED, "no such table: saucers" },
        { "SELEKT", DB_FAILED, "near \"SELEKT\": syntax error" },
        { "SELECT abs(-9223372036854775808)", DB_FAILED, "integer overflow" },
        { "INSERT INTO cups SELECT 9, hex(zeroblob(200000))", DB_FULL, "database or disk is full" },
        { "SELECT count(*) FROM cups", DB_ROW, "database or disk is full" /* the last failure */ },
    };
    (void)state;
    prepare(&version_2);
    struct db *db = open_cups();
    assert_string_equal(db_message(db), "");
    assert_int_equal(run(db, "PRAGMA max_page_count = 10"), DB_ROW);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(run(db, cases[i].sql), cases[i].result);
        assert_string_equal(db_message(db), cases[i].message);
    }
    assert_int_equal(run(db, "PRAGMA query_only = 1"), DB_DONE);
    assert_int_equal(run(db, "DELETE FROM cups"), DB_READONLY);
    db_close(db);
}

static void missing_query_does_no_harm(void **state)
{
    (void)state;
    query_bind_int(NULL, 1, 1);
    query_bind_text(NULL, 1, STR("a"));
    assert_int_equal(query_step(NULL), DB_FAILED);
    query_end(NULL);
    db_close(NULL);
}

static void letter_case_folds_in_all_of_unicode(void **state)
{
    (void)state;
    prepare(&version_2);
    struct db *db = open_cups();
    struct query *query =
        db_query(db, "SELECT count(*), fold(NULL), fold('') FROM cups WHERE fold(name) = fold(?1)");
    query_bind_text(query, 1, STR("chÁ"));
    assert_int_equal(query_step(query), DB_ROW);
    assert_int_equal(query_int(query, 0), 2);
    assert_true(query_is_null(query, 1));
    assert_false(query_is_null(query, 2));
    assert_int_equal(query_text(query, 2).len, 0);
    query_end(query);
    db_close(db);
}

static void reads_together_see_one_state(void **state)
{
    static const char count[] = "SELECT count(*) FROM cups";
    (void)state;
    prepare(&version_2);
    struct db *reader = open_cups(), *writer = open_cups();
    assert_int_equal(db_begin_read(reader), DB_DONE);
    assert_int_equal(number(reader, count), 3);
    assert_int_equal(run(writer, "DELETE FROM cups WHERE id = 1"), DB_DONE); /* does not wait */
    assert_int_equal(number(reader, count), 3);
    db_end_read(reader);
    assert_int_equal(number(reader, count), 2);
    db_end_read(reader);
    db_close(reader);
    db_close(writer);
}

/* Without the 4 s that a locked file is waited for. */
static void lock_of_another_writer_is_named(void **state)
{
    (void)state;
    prepare(&version_2);
    struct db *db = open_cups(), *other = open_cups();
    assert_int_equal(run(db, "PRAGMA busy_timeout = 0"), DB_ROW);
    assert_int_equal(run(other, "BEGIN IMMEDIATE"), DB_DONE);
    assert_int_equal(run(db, "DELETE FROM cups"), DB_BUSY);
    assert_string_equal(db_message(db), "database is locked");
    assert_int_equal(run(other, "ROLLBACK"), DB_DONE);
    assert_int_equal(run(db, "DELETE FROM cups"), DB_DONE);
    db_close(db);
    db_close(other);
}

static void file_that_has_gone_is_noticed(void **state)
{
    char other[320];
    (void)state;
    snprintf(other, sizeof other, "%s/other.db", folder);
    prepare(&version_2);
    struct db *db = open_cups();
    assert_false(db_is_gone(db));
    assert_int_equal(rename(path, other), 0);
    assert_true(db_is_gone(db));
    assert_int_equal(rename(other, path), 0);
    assert_false(db_is_gone(db));
    assert_int_equal(rename(path, other), 0);
    prepare(&version_1); /* another one in its place */
    assert_true(db_is_gone(db));
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(fresh_file_gets_every_step),
        TEST(old_file_gets_only_the_steps_that_it_lacks),
        TEST(newer_file_is_refused_and_left_alone),
        TEST(file_of_another_program_is_refused),
        TEST(step_that_fails_leaves_the_file_as_it_was),
        TEST(killed_half_way_it_starts_again),
        TEST(many_may_prepare_at_once),
        TEST(file_that_cannot_be_used_is_named),
        TEST(message_is_cut_to_its_room),
        TEST(connection_is_set_for_safety),
        TEST(what_is_bound_comes_back),
        TEST(binds_do_not_outlive_their_use),
        TEST(failures_have_names),
        TEST(missing_query_does_no_harm),
        TEST(letter_case_folds_in_all_of_unicode),
        TEST(reads_together_see_one_state),
        TEST(lock_of_another_writer_is_named),
        TEST(file_that_has_gone_is_noticed),
    };

    return cmocka_run_group_tests_name("lib/db", tests, NULL, NULL);
}
