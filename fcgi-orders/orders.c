/* orders: the orders service: its schema, its columns, its rules, its endpoints.
 *
 * Knows users by their id and the name that an order was made under, nothing else of them. What a
 * reply looks like is the contract's with its callers, key order included.
 */
#include "orders.h"
#include "lib/rest.h"
#include "lib/text.h"
#include "summary.h"

static const char *const steps[] = {
#include "fcgi-orders/sql/1-schema.sql.inc"
#include "fcgi-orders/sql/2-first-orders.sql.inc"
#include "fcgi-orders/sql/3-summary.sql.inc"
#include "fcgi-orders/sql/4-versions.sql.inc"
#include "lib/sql/replies.sql.inc"
#include "fcgi-orders/sql/6-indexes.sql.inc"
};

static const char *const categories[] = { "Bebida Quente", "Bebida Gelada", "Doce", "Sobremesa",
    NULL };
static const char *const statuses[] = { "preparing", "ready", "delivered", "cancelled", NULL };

/* The file has them in lower case. */
static struct str spell_status(struct str given, struct arena *arena)
{
    struct buf folded;
    buf_init(&folded, arena);
    text_fold(&folded, given);
    return buf_as_str(&folded);
}

/* "bebida-quente" as the file has it: "Bebida Quente". */
static struct str spell_category(struct str given, struct arena *arena)
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

enum { ID, USER_ID, USER_NAME, PRODUCT, CATEGORY, QUANTITY, PRICE, STATUS, ORDER_DATE, SERVED_BY };

/* clang-format off */
/* An order stays with the user who made it, under the name of then. */
static const struct column columns[] = {
    [ID]         = { .name = "id",         .type = COLUMN_INT, .is_read_only = true },
    [USER_ID]    = { .name = "user_id",    .type = COLUMN_INT, .is_fixed = true,
                     .min = 1, .max = INT64_MAX, .filter = "user_id = ?" },
    [USER_NAME]  = { .name = "user_name",  .type = COLUMN_TEXT, .is_fixed = true, .is_derived = true,
                     .min = 1, .max = 200 },
    [PRODUCT]    = { .name = "product",    .type = COLUMN_TEXT, .min = 1, .max = 200 },
    [CATEGORY]   = { .name = "category",   .type = COLUMN_TEXT, .values = categories,
                     .filter = "category = ?", .spelling = spell_category },
    [QUANTITY]   = { .name = "quantity",   .type = COLUMN_INT, .min = 1, .max = 1000 },
    [PRICE]      = { .name = "price",      .type = COLUMN_CENTS, .min = 0, .max = 100000 * 100 },
    [STATUS]     = { .name = "status",     .type = COLUMN_TEXT, .values = statuses,
                     .fallback = "preparing", .filter = "status = ?", .spelling = spell_status },
    [ORDER_DATE] = { .name = "order_date", .type = COLUMN_MINUTE, .fallback = "now" },
    [SERVED_BY]  = { .name = "served_by",  .type = COLUMN_TEXT, .min = 1, .max = 200,
                     .fallback = "Gunther" },
};
/* clang-format on */

/* What a status can become. */
static const struct {
    const char *from, *to;
} steps_of_status[] = {
    { "preparing", "ready" },
    { "ready", "delivered" },
    { "preparing", "cancelled" },
    { "ready", "cancelled" },
};

static int check_status(
    struct service_call *call, const struct record *before, const struct record *after)
{
    if (!before || str_eq(before->values[STATUS].text, after->values[STATUS].text))
        return 0;
    struct str from = before->values[STATUS].text, to = after->values[STATUS].text;
    for (size_t i = 0; i < sizeof steps_of_status / sizeof *steps_of_status; i++)
        if (str_is(from, steps_of_status[i].from) && str_is(to, steps_of_status[i].to))
            return 0;
    struct buf message;
    buf_init(&message, call->request->arena);
    buf_printf(&message, "an order that is '%.*s' cannot become '%.*s'", (int)from.len, from.at,
        (int)to.len, to.at);
    return reply_error(call->reply, 409, "Invalid status change", buf_as_text(&message));
}

static const struct resource_total totals[] = {
    { "SELECT coalesce(sum(orders), 0) FROM order_totals", { "status", "category" } },
    { "SELECT coalesce(sum(orders), 0) FROM order_user_totals", { "user_id" } },
    { .select = NULL },
};

static const struct resource orders = {
    .name = "orders",
    .one = "order",
    .title = "Order",
    .table = { columns, sizeof columns / sizeof columns[0] },
    .rule = check_status,
    .totals = totals,
};

/* Of a user whose id is beyond all that can be given: an unknown user has 0 orders. */
static int reply_no_orders(struct service_call *call)
{
    struct str digits = route_parameter(&call->match, "user_id");
    while (digits.len > 1 && *digits.at == '0')
        digits = (struct str){ digits.at + 1, digits.len - 1 };
    struct buf body = service_body(call);
    service_add_name(&body, "user_id");
    buf_str(&body, digits);
    service_add_int(&body, "total", 0);
    service_add_name(&body, "orders");
    buf_text(&body, "[]");
    return service_reply(call, &body);
}

/* GET /orders/user/{user_id}; whether there is such a user is not known here */
static int list_orders_of_user(struct service_call *call)
{
    int64_t user_id;
    if (!service_id(call, "user_id", &user_id))
        return reply_no_orders(call);
    return rest_list_by(call, "user_id", false);
}

/* GET /orders/status/{status} */
static int list_orders_by_status(struct service_call *call)
{
    return rest_list_by(call, "status", true);
}

/* GET /orders/category/{category} */
static int list_orders_by_category(struct service_call *call)
{
    return rest_list_by(call, "category", false);
}

/* GET /health */
static int get_health(struct service_call *call)
{
    return service_reply_health(
        call, "total_orders", "SELECT coalesce(sum(orders), 0) FROM order_totals");
}

static const struct endpoint endpoints[] = {
    { "GET /orders", rest_list, &orders },
    { "POST /orders", rest_create, &orders },
    { "GET /orders/{id:int}", rest_get, &orders },
    { "PATCH /orders/{id:int}", rest_patch, &orders },
    { "DELETE /orders/{id:int}", rest_delete, &orders },
    { "GET /orders/user/{user_id:int}", list_orders_of_user, &orders },
    { "GET /orders/status/{status}", list_orders_by_status, &orders },
    { "GET /orders/category/{category}", list_orders_by_category, &orders },
    { "GET /orders/summary", summary_get, NULL },
    { "GET /health", get_health, NULL },
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
