/* orders_totals: whatever is done to the orders, the summary is what a recount gives.
 *
 * The changes come over a connection of SQLite's own, as from another program: the database alone
 * must keep the totals right, without any function or setting of ours. They are random with a fixed
 * seed, so that a failure comes again. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "fcgi-orders/orders.h"
#include "fcgi-orders/summary.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

#define BATCHES 500
#define CHANGES_MAX 16 /* in one batch */
#define ID_MAX 300     /* of the orders that changes name; new ones may lie above */
#define USER_MAX 12

static char folder[256], path[300];
static uint64_t seed;
static sqlite3 *writer;
static struct db *db;
static struct arena arena;

/* xorshift64*: the same numbers everywhere. */
static int random_below(int limit)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (int)((seed * 0x2545F4914F6CDD1D >> 33) % (unsigned)limit);
}

static const char *const statuses[] = { "preparing", "ready", "delivered", "cancelled" };
static const char *const categories[] = { "Bebida Quente", "Bebida Gelada", "Doce", "Sobremesa" };

#define COLUMNS                                                                                    \
    "(id, user_id, user_name, product, category, quantity, price, status, order_date, served_by)"

/* What may happen, as often as it stands here. In it, $i is an id, $n an id or NULL, $u a user, $c
 * a category, $q a quantity, $p a price, $s a status, $k a small number. */
#define VALUES "$u, 'User $k', 'Latte', '$c', $q, $p, '$s', '2024-11-28 08:30', 'Gunther'"
#define FROM_OTHERS(id, user)                                                                      \
    "SELECT " id ", " user ", user_name, product, category, quantity, price, '$s', order_date,"    \
    " served_by FROM orders WHERE user_id = $u"

static const char *const changes[] = {
    "INSERT INTO orders " COLUMNS " VALUES (NULL, " VALUES ")",
    "INSERT INTO orders " COLUMNS " VALUES (NULL, " VALUES ")",
    "INSERT INTO orders " COLUMNS " VALUES ($i, " VALUES ")",
    "INSERT INTO orders " COLUMNS " VALUES ($i, " VALUES "), ($i, " VALUES ")",
    "INSERT OR IGNORE INTO orders " COLUMNS " VALUES (NULL, " VALUES "), ($i, " VALUES ")",
    "INSERT OR IGNORE INTO orders " COLUMNS " VALUES (NULL, $u, '', 'Latte', 'Doce', 1, 1, 'ready',"
    " '2024-11-28 08:30', 'Gunther'), (NULL, " VALUES ")",
    "INSERT OR REPLACE INTO orders " COLUMNS " VALUES ($i, " VALUES ")",
    "INSERT OR FAIL INTO orders " COLUMNS " VALUES (NULL, " VALUES "), ($i, " VALUES ")",
    "REPLACE INTO orders " COLUMNS " " FROM_OTHERS("id", "$u"),
    "INSERT INTO orders " COLUMNS " VALUES ($i, " VALUES ")"
    " ON CONFLICT (id) DO UPDATE SET status = '$s', user_id = $u",
    "INSERT INTO orders " COLUMNS " " FROM_OTHERS("NULL", "$u") " LIMIT 20",
    "INSERT INTO orders " COLUMNS " " FROM_OTHERS("id + $i", "user_id") " LIMIT 20",
    "UPDATE orders SET status = '$s' WHERE id = $i",
    "UPDATE orders SET category = '$c' WHERE id = $i",
    "UPDATE orders SET quantity = $q WHERE id = $i",
    "UPDATE orders SET price = $p WHERE id = $i",
    "UPDATE orders SET user_id = $u WHERE id = $i",
    "UPDATE orders SET user_id = $u, status = '$s', price = $p WHERE id = $i",
    "UPDATE orders SET user_name = 'User $k' WHERE user_id = $u",
    "UPDATE orders SET served_by = 'Rachel', order_date = '2024-12-01 10:00' WHERE id > $i",
    "UPDATE orders SET status = '$s' WHERE user_id = $u",
    "UPDATE orders SET category = '$c', quantity = $q WHERE status = '$s'",
    "UPDATE orders SET user_id = $u WHERE category = '$c' AND user_id = $u",
    "UPDATE orders SET user_id = user_id % 7 + 1 WHERE id BETWEEN $i AND $i",
    "UPDATE orders SET quantity = quantity + 1 WHERE id < $i",
    "UPDATE orders SET quantity = quantity + $q WHERE id < $i",
    "UPDATE OR FAIL orders SET quantity = quantity + $q WHERE id < $i",
    "UPDATE OR IGNORE orders SET quantity = quantity + $q, user_id = $u WHERE id < $i",
    "UPDATE OR REPLACE orders SET id = $i, status = '$s' WHERE id = $i",
    "UPDATE orders SET id = id WHERE user_id = $u",
    "DELETE FROM orders WHERE id = $i",
    "DELETE FROM orders WHERE id IN ($i, $i, $i, $i)",
    "DELETE FROM orders WHERE id = (SELECT min(id) FROM orders WHERE user_id = $u)",
    "DELETE FROM orders WHERE user_id = $u AND id > $i",
    "DELETE FROM orders WHERE user_id = $u AND status = '$s'",
    "DELETE FROM orders WHERE id > $i AND $k = 0",
    "DELETE FROM orders WHERE category = '$c' AND $k = 0",
    "DELETE FROM orders WHERE $k + $k = 0",
    "SAVEPOINT spot",
    "ROLLBACK TO spot",
    "RELEASE spot",
};

static void add_value(struct buf *sql, char kind)
{
    switch (kind) {
    case 'i':
        buf_int(sql, 1 + random_below(ID_MAX));
        break;
    case 'u':
        buf_int(sql, 1 + random_below(USER_MAX));
        break;
    case 'q':
        buf_int(sql, 1 + random_below(1000));
        break;
    case 'p':
        buf_int(sql, random_below(10000001));
        break;
    case 'k':
        buf_int(sql, random_below(10));
        break;
    case 'c':
        buf_text(sql, categories[random_below(COUNT(categories))]);
        break;
    default:
        buf_text(sql, statuses[random_below(COUNT(statuses))]);
    }
}

static void fill_in(struct buf *sql, const char *change)
{
    for (; *change; change++) {
        if (*change == '$')
            add_value(sql, *++change);
        else
            buf_char(sql, *change);
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

/* The text that the first column of the only row has. */
static const char *text_of(const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(writer, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(writer));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    const char *copy = arena_copy(&arena, text, strlen(text));
    sqlite3_finalize(statement);
    return copy;
}

/* The whole reply, counted anew from nothing but the orders. */
#define MONEY(cents) "format('%d.%02d', " cents " / 100, " cents " % 100)"
#define GROUPED(column)                                                                            \
    "(SELECT coalesce(group_concat(format('\"%s\":%d', name, n)), '') FROM ("                      \
    " SELECT " column " AS name, count(*) AS n FROM orders GROUP BY " column " ORDER BY min(id)))"

static const char recount[] =
    "SELECT format('{\"service\":\"orders-service\",\"total_orders\":%d,\"total_revenue\":%s,"
    "\"average_order_value\":%s,\"by_status\":{%s},\"by_category\":{%s},\"most_active_user\":%s}',"
    " n, " MONEY("cents") ", " MONEY("average") ", " GROUPED("status") ", " GROUPED(
        "category") ","
                    " coalesce((SELECT format('{\"name\":\"%s\",\"total_orders\":%d}',"
                    "  (SELECT user_name FROM orders WHERE id = latest), times)"
                    "  FROM (SELECT max(id) AS latest, min(id) AS first, count(*) AS times FROM "
                    "orders"
                    "   GROUP BY user_id) ORDER BY times DESC, first LIMIT 1), 'null'))"
                    " FROM (SELECT n, cents, iif(n = 0, 0, (2 * cents + n) / max(2 * n, 1)) AS "
                    "average FROM"
                    "  (SELECT count(*) AS n, coalesce(sum(price * quantity), 0) AS cents FROM "
                    "orders))";

/* Rows that only one of the two has: the totals as they are kept, and counted anew. */
#define DIFFERENCE(kept, counted)                                                                  \
    "SELECT count(*) FROM (SELECT * FROM (" kept " EXCEPT " counted ") UNION ALL"                  \
    " SELECT * FROM (" counted " EXCEPT " kept "))"

static const char totals_difference[] = DIFFERENCE("SELECT * FROM order_totals WHERE orders > 0",
    "SELECT status, category, count(*), sum(price * quantity) FROM orders GROUP BY 1, 2");
static const char user_totals_difference[] = DIFFERENCE(
    "SELECT * FROM order_user_totals", "SELECT user_id, count(*), min(id) FROM orders GROUP BY 1");

static const char *summary(void)
{
    struct request request = { .arena = &arena };
    struct reply reply = { .request = &request };
    struct service_call call = {
        .service = &orders_service, .request = &request, .reply = &reply, .db = db
    };
    buf_init(&reply.fields, &arena);
    assert_int_equal(summary_get(&call), 200);
    return arena_copy(&arena, reply.body.at, reply.body.len);
}

static void check(void)
{
    arena_reset(&arena);
    assert_string_equal(summary(), text_of(recount));
    assert_string_equal(text_of(totals_difference), "0");
    assert_string_equal(text_of(user_totals_difference), "0");
}

static void prepare(int steps)
{
    char error[512];
    struct db_schema schema = orders_service.schema;
    if (steps > 0)
        schema.step_count = steps;
    if (!db_prepare(path, &schema, error, sizeof error))
        fail_msg("%s", error);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    seed = 0x5EED;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/orders_totals.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/orders.db", folder);
    return 0;
}

static void connect_both(void)
{
    char error[512];
    assert_int_equal(sqlite3_open(path, &writer), SQLITE_OK);
    must("PRAGMA synchronous = OFF");
    db = db_open(path, error, sizeof error);
    assert_non_null(db);
}

static int teardown(void **state)
{
    (void)state;
    db_close(db);
    sqlite3_close(writer);
    db = NULL;
    writer = NULL;
    arena_clear(&arena);
    unlink(path);
    return rmdir(folder);
}

/* An id that is taken or changes, in every row that such a change meets. */
static bool is_always_refused(const char *change)
{
    return strncmp(change, "REPLACE", 7) == 0 || strncmp(change, "UPDATE OR REPLACE", 17) == 0;
}

static void random_changes(void **state)
{
    int done[COUNT(changes)] = { 0 }, batches[2] = { 0 };
    (void)state;
    prepare(0);
    connect_both();
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
        if (done[i] == 0 && !is_always_refused(changes[i]))
            fail_msg("never changed anything: %s", changes[i]);
}

/* A file from before there were totals. */
static void what_is_there_is_counted(void **state)
{
    (void)state;
    prepare(2);
    assert_int_equal(sqlite3_open(path, &writer), SQLITE_OK);
    must("PRAGMA synchronous = OFF");
    for (int left = 1000; left > 0; left--)
        change_something(changes[0]);
    must("DELETE FROM orders WHERE id % 3 = 0");
    sqlite3_close(writer);
    prepare(0);
    connect_both();
    check();
    must("DELETE FROM orders");
    check();
}

/* What would make the totals wrong unseen says why it is refused. */
static void what_is_refused(void **state)
{
    static const char *const cases[][2] = {
        { "REPLACE INTO orders " COLUMNS " VALUES (1, " VALUES ")",
            "UNIQUE constraint failed: orders.id" },
        { "INSERT INTO orders " COLUMNS " VALUES (1, " VALUES ")",
            "UNIQUE constraint failed: orders.id" },
        { "UPDATE orders SET id = 99 WHERE id = 1", "an order keeps its id" },
        { "UPDATE OR REPLACE orders SET id = 2 WHERE id = 1", "an order keeps its id" },
    };
    (void)state;
    prepare(0);
    connect_both();
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(change_something(cases[i][0]));
        assert_string_equal(sqlite3_errmsg(writer), cases[i][1]);
        check();
    }
}

/* Processor time of one summary, in nanoseconds; the least of many, as others disturb. */
static long long cost(void)
{
    long long least = LLONG_MAX;
    for (int i = 0; i < 500; i++) {
        struct timespec from, to;
        arena_reset(&arena);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        summary();
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        long long time = (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec;
        least = time < least ? time : least;
    }
    return least;
}

/* A scan of so many would take a hundred times as long; a machine may be several times slower from
 * one moment to the next. */
static void it_costs_the_same_with_many_orders(void **state)
{
    (void)state;
    prepare(0);
    connect_both();
    long long with_few = cost();
    must("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
         " INSERT INTO orders " COLUMNS " SELECT NULL, i * 7919 % 2000 + 1, 'Ana', product,"
         " category, quantity, price, status, order_date, served_by"
         " FROM n JOIN orders ON id = i % 10 + 1");
    check();
    assert_true(cost() <= 10 * with_few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(random_changes),
        TEST(what_is_there_is_counted),
        TEST(what_is_refused),
        TEST(it_costs_the_same_with_many_orders),
    };

    return cmocka_run_group_tests_name("fcgi-orders/sql/3-summary", tests, NULL, NULL);
}
