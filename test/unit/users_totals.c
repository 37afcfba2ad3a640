/* users_totals: whatever is done to the users, their totals are what a recount gives.
 *
 * As orders_totals: the changes are random with a fixed seed and come over a connection of SQLite's
 * own, so that the database alone must keep the totals right. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "fcgi-users/users.h"
#include "lib/buf.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

#define BATCHES 400
#define CHANGES_MAX 16 /* in one batch */
#define ID_MAX 60      /* of the users that changes name; new ones may lie above */

static char folder[256], path[300];
static uint64_t seed;
static sqlite3 *writer;
static struct arena arena;

/* xorshift64*: the same numbers everywhere. */
static int random_below(int limit)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (int)((seed * 0x2545F4914F6CDD1D >> 33) % (unsigned)limit);
}

static const char *const drinks[] = { "Latte", "latte", "LATTE", "Mocha", "Chá", "" };

/* What may happen. In it, $i is an id, $e an email's name, $f a cpf, $d a drink, $a 0 or 1, $k a
 * small number. */
#define INTO "INTO users (id, name, email, cpf, member_since, favorite_drink, active) VALUES "
#define NEW(id) "(" id ", 'Ana', '$e@perk', '$f', '2024-01-31', '$d', $a)"

static const char *const changes[] = {
    "INSERT " INTO NEW("NULL"),
    "INSERT " INTO NEW("NULL"),
    "INSERT " INTO NEW("$i"),
    "INSERT " INTO NEW("NULL") ", " NEW("NULL") ", " NEW("NULL"),
    "INSERT OR FAIL " INTO NEW("NULL") ", " NEW("$i") ", " NEW("NULL"),
    "INSERT OR IGNORE " INTO NEW("NULL") ", (NULL, 'Ana', 'no email', '', '', '', 1)",
    "INSERT OR REPLACE " INTO NEW("NULL"),
    "INSERT OR REPLACE " INTO NEW("$i"),
    "UPDATE users SET active = $a WHERE id = $i",
    "UPDATE users SET active = 1 - active",
    "UPDATE users SET active = active WHERE id < $i",
    "UPDATE users SET favorite_drink = '$d' WHERE id = $i",
    "UPDATE users SET favorite_drink = '$d', active = $a, name = 'Bea' WHERE id < $i",
    "UPDATE users SET favorite_drink = lower(favorite_drink) WHERE active = $a",
    "UPDATE users SET email = '$e@perk' WHERE id = $i",
    "UPDATE OR REPLACE users SET email = upper('$e@perk') WHERE id = $i",
    "UPDATE OR REPLACE users SET cpf = '$f', active = $a WHERE id = $i",
    "UPDATE OR IGNORE users SET active = active + $a, favorite_drink = '$d' WHERE id < $i",
    "UPDATE OR FAIL users SET loyalty_points = $k - 5 * (id % 2), favorite_drink = '$d'",
    "DELETE FROM users WHERE id = $i",
    "DELETE FROM users WHERE id = $i OR id = $i",
    "DELETE FROM users WHERE favorite_drink = '$d' AND active = $a",
    "DELETE FROM users WHERE $k + $k = 0",
    "SAVEPOINT spot",
    "ROLLBACK TO spot",
    "RELEASE spot",
};

static void fill_in(struct buf *sql, const char *change)
{
    for (; *change; change++) {
        if (*change != '$') {
            buf_char(sql, *change);
            continue;
        }
        switch (*++change) {
        case 'i':
            buf_int(sql, 1 + random_below(ID_MAX));
            break;
        case 'e':
            buf_printf(sql, "%c%d", random_below(2) ? 'u' : 'U', random_below(3 * ID_MAX));
            break;
        case 'f':
            buf_printf(sql, "000.000.%03d-00", random_below(3 * ID_MAX));
            break;
        case 'd':
            buf_text(sql, drinks[random_below(COUNT(drinks))]);
            break;
        default:
            buf_int(sql, random_below(*change == 'a' ? 2 : 10));
        }
    }
}

static void must(const char *sql)
{
    if (sqlite3_exec(writer, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(writer));
}

/* One change; it may break a rule and so do nothing, or a part of it. */
static bool change_something(const char *change)
{
    struct buf sql;
    arena_reset(&arena);
    buf_init(&sql, &arena);
    fill_in(&sql, change);
    int code = sqlite3_exec(writer, buf_as_text(&sql), NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return strncmp(change, "SAVE", 4) == 0 || sqlite3_changes(writer) > 0;
    bool is_rule = code == SQLITE_CONSTRAINT || strstr(sqlite3_errmsg(writer), "no such savepoint");
    if (!is_rule)
        fail_msg("%s: %s", buf_as_text(&sql), sqlite3_errmsg(writer));
    return false;
}

static int number_of(const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(writer, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(writer));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* Rows that only one of the two has: the totals as they are kept, and counted anew. */
#define DIFFERENCE(kept, counted)                                                                  \
    "SELECT count(*) FROM (SELECT * FROM (" kept " EXCEPT " counted ") UNION ALL"                  \
    " SELECT * FROM (" counted " EXCEPT " kept "))"

static void check(void)
{
    assert_int_equal(0, number_of(DIFFERENCE("SELECT * FROM user_totals WHERE users > 0",
                            "SELECT active, count(*) FROM users GROUP BY 1")));
    assert_int_equal(0, number_of(DIFFERENCE("SELECT * FROM user_drink_totals",
                            "SELECT favorite_drink, active, count(*) FROM users GROUP BY 1, 2")));
}

static void prepare(int steps)
{
    char error[512];
    struct db_schema schema = users_service.schema;
    if (steps > 0)
        schema.step_count = steps;
    if (!db_prepare(path, &schema, error, sizeof error))
        fail_msg("%s", error);
}

static void connect_writer(void)
{
    assert_int_equal(sqlite3_open(path, &writer), SQLITE_OK);
    must("PRAGMA synchronous = OFF");
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    seed = 0x5EED;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/users_totals.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/users.db", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sqlite3_close(writer);
    writer = NULL;
    arena_clear(&arena);
    unlink(path);
    return rmdir(folder);
}

static void random_changes(void **state)
{
    int done[COUNT(changes)] = { 0 }, batches[2] = { 0 };
    (void)state;
    prepare(0);
    connect_writer();
    for (int batch = 0; batch < BATCHES; batch++) {
        bool is_kept = random_below(4) > 0;
        must("BEGIN");
        for (int left = 1 + random_below(CHANGES_MAX); left > 0; left--) {
            int which = random_below(COUNT(changes));
            done[which] += change_something(changes[which]);
        }
        must(is_kept ? "COMMIT" : "ROLLBACK");
        batches[is_kept]++;
        check();
    }
    assert_true(batches[0] > BATCHES / 10 && batches[1] > BATCHES / 2);
    for (size_t i = 0; i < COUNT(changes); i++)
        if (done[i] == 0)
            fail_msg("never changed anything: %s", changes[i]);
}

/* A file from before there were totals. */
static void what_is_there_is_counted(void **state)
{
    (void)state;
    prepare(2);
    connect_writer();
    for (int left = 100; left > 0; left--)
        change_something(changes[0]);
    sqlite3_close(writer);
    prepare(0);
    connect_writer();
    assert_true(number_of("SELECT count(*) FROM users") > 50);
    check();
    must("DELETE FROM users");
    check();
}

/* What would make the totals wrong unseen says why it is refused. */
static void what_is_refused(void **state)
{
    static const char *const cases[][2] = {
        { "REPLACE " INTO NEW("1"), "UNIQUE constraint failed: users.id" },
        { "REPLACE " INTO "(NULL, 'Ana', 'ANA.gomes@centralperk.com', '$f', '2024-01-31', '$d', 1)",
            "UNIQUE constraint failed: users.email" },
        { "REPLACE " INTO "(NULL, 'Ana', '$e@perk', '123.456.789-01', '2024-01-31', '$d', 1)",
            "UNIQUE constraint failed: users.cpf" },
        { "UPDATE OR REPLACE users SET email = 'Luan.Kato@centralperk.com' WHERE id = 1",
            "UNIQUE constraint failed: users.email" },
        { "UPDATE OR REPLACE users SET cpf = '123.456.789-01' WHERE id = 2",
            "UNIQUE constraint failed: users.cpf" },
        { "UPDATE users SET id = 99 WHERE id = 1", "a user keeps its id" },
    };
    (void)state;
    prepare(0);
    connect_writer();
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(change_something(cases[i][0]));
        assert_string_equal(sqlite3_errmsg(writer), cases[i][1]);
        check();
    }
    must("UPDATE users SET email = 'ANA.GOMES@centralperk.com', cpf = cpf, id = id WHERE id = 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(random_changes),
        TEST(what_is_there_is_counted),
        TEST(what_is_refused),
    };

    return cmocka_run_group_tests_name("fcgi-users/sql/3-summary", tests, NULL, NULL);
}
