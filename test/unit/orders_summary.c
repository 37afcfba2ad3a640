/* orders_summary: the figures over all orders: ties, first appearances, rounding, no orders. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "fcgi-orders/orders.h"
#include "fcgi-orders/summary.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static char folder[256], path[300];
static struct arena arena;
static struct db *db;

/* A database as the service prepares it. */
static int setup(void **state)
{
    char error[512];
    (void)state;
    arena_init(&arena);
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/orders_summary.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/orders.db", folder);
    if (!db_prepare(path, &orders_service.schema, error, sizeof error))
        return -1;
    db = db_open(path, error, sizeof error);
    return db ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    db_close(db);
    arena_clear(&arena);
    unlink(path);
    return rmdir(folder);
}

static void run(const char *sql)
{
    struct query *query = db_query(db, sql);
    if (query_step(query) != DB_DONE)
        fail_msg("%s: %s", sql, db_message(db));
    query_end(query);
}

/* `orders` are the values of an INSERT: id, user, category, quantity, cents, status. */
static void fill(const char *orders)
{
    struct buf sql;
    buf_init(&sql, &arena);
    run("DELETE FROM orders");
    if (!orders)
        return;
    buf_printf(&sql,
        "INSERT INTO orders (id, user_id, user_name, product, category, quantity, price, status,"
        " order_date, served_by)"
        " SELECT column1, column2, 'User ' || column2 || ' of ' || column1, 'Latte', column3,"
        " column4, column5, column6, '2024-11-28 08:30', 'Gunther' FROM (VALUES %s)",
        orders);
    run(buf_as_text(&sql));
}

static const char *summary(int *status)
{
    struct request request = { .arena = &arena };
    struct reply reply = { .request = &request };
    struct service_call call = {
        .service = &orders_service, .request = &request, .reply = &reply, .db = db
    };
    buf_init(&reply.fields, &arena);
    *status = summary_get(&call);
    return arena_copy(&arena, reply.body.at, reply.body.len);
}

static void figures(void **state)
{
    static const struct {
        const char *what, *orders, *expected;
    } cases[] = {
        { "no orders", NULL,
            "\"total_orders\":0,\"total_revenue\":0.00,\"average_order_value\":0.00,"
            "\"by_status\":{},\"by_category\":{},\"most_active_user\":null" },
        { "one order", "(7, 3, 'Doce', 2, 5, 'ready')",
            "\"total_orders\":1,\"total_revenue\":0.10,\"average_order_value\":0.10,"
            "\"by_status\":{\"ready\":1},\"by_category\":{\"Doce\":1},"
            "\"most_active_user\":{\"name\":\"User 3 of 7\",\"total_orders\":1}" },
        { "a half cent goes up, and the first of a tie wins though its id is higher",
            "(2, 1, 'Doce', 1, 100, 'ready'), (1, 9, 'Sobremesa', 1, 101, 'delivered')",
            "\"total_orders\":2,\"total_revenue\":2.01,\"average_order_value\":1.01,"
            "\"by_status\":{\"delivered\":1,\"ready\":1},"
            "\"by_category\":{\"Sobremesa\":1,\"Doce\":1},"
            "\"most_active_user\":{\"name\":\"User 9 of 1\",\"total_orders\":1}" },
        { "less than half a cent goes down",
            "(1, 1, 'Doce', 1, 100, 'ready'), (2, 1, 'Doce', 1, 100, 'ready'),"
            "(3, 1, 'Doce', 1, 101, 'ready')",
            "\"total_orders\":3,\"total_revenue\":3.01,\"average_order_value\":1.00,"
            "\"by_status\":{\"ready\":3},\"by_category\":{\"Doce\":3},"
            "\"most_active_user\":{\"name\":\"User 1 of 3\",\"total_orders\":3}" },
        { "first appearance and not number or name decides the groups' order",
            "(1, 1, 'Sobremesa', 1, 0, 'ready'), (2, 2, 'Bebida Quente', 1, 0, 'cancelled'),"
            "(3, 2, 'Bebida Quente', 1, 0, 'cancelled'), (4, 1, 'Doce', 1, 0, 'preparing'),"
            "(5, 1, 'Bebida Quente', 1000, 10000000, 'ready')",
            "\"total_orders\":5,\"total_revenue\":100000000.00,"
            "\"average_order_value\":20000000.00,"
            "\"by_status\":{\"ready\":2,\"cancelled\":2,\"preparing\":1},"
            "\"by_category\":{\"Sobremesa\":1,\"Bebida Quente\":3,\"Doce\":1},"
            "\"most_active_user\":{\"name\":\"User 1 of 5\",\"total_orders\":3}" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf expected;
        int status;
        buf_init(&expected, &arena);
        buf_printf(&expected, "{\"service\":\"orders-service\",%s}", cases[i].expected);
        fill(cases[i].orders);
        const char *body = summary(&status);
        print_message("%s\n", cases[i].what);
        assert_string_equal(body, buf_as_text(&expected));
        assert_int_equal(status, 200);
    }
}

static void what_the_service_starts_with(void **state)
{
    char error[512];
    int status;
    (void)state;
    assert_true(db_prepare(path, &orders_service.schema, error, sizeof error));
    assert_string_equal(summary(&status),
        "{\"service\":\"orders-service\",\"total_orders\":10,\"total_revenue\":145.00,"
        "\"average_order_value\":14.50,"
        "\"by_status\":{\"delivered\":6,\"ready\":3,\"preparing\":1},"
        "\"by_category\":{\"Bebida Quente\":6,\"Sobremesa\":2,\"Doce\":1,\"Bebida Gelada\":1},"
        "\"most_active_user\":{\"name\":\"Ana Clara Gomes\",\"total_orders\":3}}");
    assert_int_equal(status, 200);
}

/* The rules that hold whatever a program does. */
static void orders_that_cannot_be(void **state)
{
    static const char *const orders[] = {
        "(1, 0, 'Doce', 1, 100, 'ready')",
        "(1, 1, 'doce', 1, 100, 'ready')",
        "(1, 1, 'Doce', 0, 100, 'ready')",
        "(1, 1, 'Doce', 1001, 100, 'ready')",
        "(1, 1, 'Doce', 1, -1, 'ready')",
        "(1, 1, 'Doce', 1, 10000001, 'ready')",
        "(1, 1, 'Doce', 1, 100, 'eaten')",
        "(1, 1, 'Doce', 1, 1.5, 'ready')",
        "(1, 1, 'Doce', 1, NULL, 'ready')",
    };
    (void)state;
    fill(NULL);
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct buf sql;
        buf_init(&sql, &arena);
        buf_printf(&sql,
            "INSERT INTO orders (id, user_id, user_name, product, category, quantity, price,"
            " status, order_date, served_by) SELECT column1, column2, 'Ana', 'Latte', column3, "
            "column4, column5,"
            " column6, '2024-11-28 08:30', 'Gunther' FROM (VALUES %s)",
            orders[i]);
        struct query *query = db_query(db, buf_as_text(&sql));
        if (query_step(query) != DB_CONSTRAINT)
            fail_msg("accepted: %s", orders[i]);
        query_end(query);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(figures),
        TEST(what_the_service_starts_with),
        TEST(orders_that_cannot_be),
    };

    return cmocka_run_group_tests_name("fcgi-orders/summary", tests, NULL, NULL);
}
