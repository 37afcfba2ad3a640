/* summary: figures over all orders, for the gateway's /dashboard.
 *
 * They are computed here because the orders are here: nobody has to fetch them all to add them up.
 * Nor does anybody scan them: the database keeps the totals (sql/3-summary.sql), and every query
 * here looks at a few rows of those and goes into an index of the orders a few times, so a reply
 * costs the same with ten orders and with a million. All queries see one state of the file, so the
 * figures agree with each other. */
#include "summary.h"

/* ,"total_orders":10,"total_revenue":145.00,"average_order_value":14.50 */
static enum db_result add_totals(struct buf *body, struct db *db)
{
    struct query *query =
        db_query(db, "SELECT coalesce(sum(orders), 0), coalesce(sum(cents), 0) FROM order_totals");
    enum db_result result = query_step(query);
    if (result == DB_ROW) {
        int64_t orders = query_int(query, 0), cents = query_int(query, 1);
        service_add_int(body, "total_orders", orders);
        service_add_name(body, "total_revenue");
        table_write_cents(body, cents);
        service_add_name(body, "average_order_value"); /* rounded half up; none is negative */
        table_write_cents(body, orders > 0 ? (2 * cents + orders) / (2 * orders) : 0);
    }
    query_end(query);
    return result == DB_ROW ? DB_DONE : result;
}

/* ,"name":{"delivered":6,...} from rows of a group and its number of orders. Ends the query. */
static enum db_result add_groups(struct buf *body, const char *name, struct query *query)
{
    enum db_result result;
    const char *separator = "";
    service_add_name(body, name);
    buf_char(body, '{');
    while ((result = query_step(query)) == DB_ROW) {
        buf_text(body, separator);
        buf_json_string(body, query_text(query, 0));
        buf_char(body, ':');
        buf_int(body, query_int(query, 1));
        separator = ",";
    }
    buf_char(body, '}');
    query_end(query);
    return result;
}

/* ,"most_active_user":{"name":"Ana Clara Gomes","total_orders":3} or null. Between equals the one
 * whose first order is the oldest; the name is that of the user's latest order. */
static enum db_result add_most_active(struct buf *body, struct db *db)
{
    struct query *query = db_query(db,
        "SELECT (SELECT user_name FROM orders WHERE orders.user_id = most.user_id"
        "        ORDER BY id DESC LIMIT 1), most.orders "
        "FROM order_user_totals AS most ORDER BY most.orders DESC, first_order LIMIT 1");
    enum db_result result = query_step(query);
    service_add_name(body, "most_active_user");
    if (result == DB_ROW) {
        buf_text(body, "{\"name\":");
        buf_json_string(body, query_text(query, 0));
        service_add_int(body, "total_orders", query_int(query, 1));
        buf_char(body, '}');
    } else {
        buf_text(body, "null");
    }
    query_end(query);
    return result == DB_ROW ? DB_DONE : result;
}

/* The groups of one column, in the order of their first appearance; a group that is empty now has
 * none. */
#define GROUPS(column)                                                                             \
    "SELECT " column ", sum(orders) FROM order_totals GROUP BY " column " HAVING sum(orders) > 0 " \
    "ORDER BY (SELECT min(id) FROM orders WHERE orders." column " = order_totals." column ")"

static enum db_result add_figures(struct buf *body, struct db *db)
{
    enum db_result result = add_totals(body, db);
    if (result == DB_DONE)
        result = add_groups(body, "by_status", db_query(db, GROUPS("status")));
    if (result == DB_DONE)
        result = add_groups(body, "by_category", db_query(db, GROUPS("category")));
    if (result == DB_DONE)
        result = add_most_active(body, db);
    return result;
}

int summary_get(struct service_call *call)
{
    struct buf body = service_body(call);
    enum db_result result = db_begin_read(call->db);
    if (result == DB_DONE)
        result = add_figures(&body, call->db);
    db_end_read(call->db);
    return result == DB_DONE ? service_reply(call, &body) : service_reply_failed(call, result);
}
