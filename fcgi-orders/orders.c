/* orders: the orders service: its schema, its columns, its endpoints.
 *
 * Knows users by their id and the name that an order was made under, nothing else of them. What a
 * reply looks like is the contract's with its callers, key order included.
 */
#include "orders.h"
#include "lib/text.h"
#include "summary.h"

static const char *const steps[] = {
#include "fcgi-orders/sql/1-schema.sql.inc"
#include "fcgi-orders/sql/2-first-orders.sql.inc"
#include "fcgi-orders/sql/3-summary.sql.inc"
};

static const struct column columns[] = {
    { "id", COLUMN_INT },
    { "user_id", COLUMN_INT },
    { "user_name", COLUMN_TEXT },
    { "product", COLUMN_TEXT },
    { "category", COLUMN_TEXT },
    { "quantity", COLUMN_INT },
    { "price", COLUMN_CENTS },
    { "status", COLUMN_TEXT },
    { "order_date", COLUMN_TEXT },
    { "served_by", COLUMN_TEXT },
};

static const struct table orders = { columns, sizeof columns / sizeof columns[0] };

/* The columns above, in their order. */
#define SELECT_ORDERS                                                                              \
    "SELECT id, user_id, user_name, product, category, quantity, price, status, order_date,"       \
    " served_by FROM orders "

/* GET /orders */
static int list_orders(struct service_call *call)
{
    struct buf body = service_body(call);
    struct query *query = db_query(call->db, SELECT_ORDERS "ORDER BY id");
    return service_reply_rows(call, &body, "orders", &orders, query);
}

/* GET /orders/{id} */
static int get_order(struct service_call *call)
{
    int64_t id;
    if (!service_id(call, "id", &id))
        return reply_error(call->reply, 404, "Order not found", NULL);
    struct query *query = db_query(call->db, SELECT_ORDERS "WHERE id = ?1");
    query_bind_int(query, 1, id);
    struct buf body = service_body(call);
    return service_reply_row(call, &body, "order", &orders, query, "Order not found");
}

/* GET /orders/user/{user_id}; whether there is such a user is not known here */
static int list_orders_of_user(struct service_call *call)
{
    int64_t user_id;
    if (!service_id(call, "user_id", &user_id))
        return reply_error(call->reply, 404, "User not found", NULL);
    struct query *query = db_query(call->db, SELECT_ORDERS "WHERE user_id = ?1 ORDER BY id");
    query_bind_int(query, 1, user_id);
    struct buf body = service_body(call);
    service_add_int(&body, "user_id", user_id);
    return service_reply_rows(call, &body, "orders", &orders, query);
}

/* GET /orders/status/{status}; the file has them in lower case */
static int list_orders_by_status(struct service_call *call)
{
    struct str status = route_parameter(&call->match, "status");
    struct query *query = db_query(call->db, SELECT_ORDERS "WHERE status = fold(?1) ORDER BY id");
    query_bind_text(query, 1, status);
    struct buf body = service_body(call);
    service_add_text(&body, "status", status);
    return service_reply_rows(call, &body, "orders", &orders, query);
}

/* "bebida-quente" as the file has it: "Bebida Quente". */
static struct str category_name(struct str given, struct arena *arena)
{
    struct buf spaced, titled;
    buf_init(&spaced, arena);
    buf_init(&titled, arena);
    for (size_t i = 0; i < given.len; i++) {
        char c = given.at[i];
        if (c == '-')
            c = ' ';
        buf_char(&spaced, c);
    }
    text_title(&titled, buf_as_str(&spaced));
    return buf_as_str(&titled);
}

/* GET /orders/category/{category} */
static int list_orders_by_category(struct service_call *call)
{
    struct str category =
        category_name(route_parameter(&call->match, "category"), call->request->arena);
    struct query *query = db_query(call->db, SELECT_ORDERS "WHERE category = ?1 ORDER BY id");
    query_bind_text(query, 1, category);
    struct buf body = service_body(call);
    service_add_text(&body, "category", category);
    return service_reply_rows(call, &body, "orders", &orders, query);
}

/* GET /health */
static int get_health(struct service_call *call)
{
    return service_reply_health(
        call, "total_orders", "SELECT coalesce(sum(orders), 0) FROM order_totals");
}

static const struct endpoint endpoints[] = {
    { "GET /orders", list_orders },
    { "GET /orders/summary", summary_get },
    { "GET /orders/{id:int}", get_order },
    { "GET /orders/user/{user_id:int}", list_orders_of_user },
    { "GET /orders/status/{status}", list_orders_by_status },
    { "GET /orders/category/{category}", list_orders_by_category },
    { "GET /health", get_health },
};

const struct service orders_service = {
    .program = "fcgi-orders",
    .name = "orders-service",
    .database = "orders.db",
    .port = 5002,
    .schema = { steps, sizeof steps / sizeof steps[0], 0x63706f72 /* "cpor" */ },
    .endpoints = endpoints,
    .endpoint_count = sizeof endpoints / sizeof endpoints[0],
};
