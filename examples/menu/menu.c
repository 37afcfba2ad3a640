/* menu: a whole service as an example: what a cafeteria offers. docs/services.md goes through it.
 */
#include "lib/rest.h"

static const char *const steps[] = {
#include "examples/menu/sql/1-schema.sql.inc"
#include "lib/sql/replies.sql.inc"
};

static const char *const kinds[] = { "drink", "food", NULL };

enum { ID, NAME, KIND, PRICE, AVAILABLE, SINCE };

/* clang-format off */
static const struct column columns[] = {
    [ID]        = { .name = "id",        .type = COLUMN_INT,  .is_read_only = true },
    [NAME]      = { .name = "name",      .type = COLUMN_TEXT, .min = 1, .max = 80,
                    .taken = "Name already in use" },
    [KIND]      = { .name = "kind",      .type = COLUMN_TEXT, .values = kinds, .filter = "kind = ?" },
    [PRICE]     = { .name = "price",     .type = COLUMN_CENTS, .min = 1, .max = 1000 * 100 },
    [AVAILABLE] = { .name = "available", .type = COLUMN_BOOL, .fallback = "true",
                    .filter = "available = ?" },
    [SINCE]     = { .name = "since",     .type = COLUMN_DATE, .fallback = "now", .is_fixed = true },
};
/* clang-format on */

/* The service's own rule: a guest who comes back finds no price more than doubled. */
static int check_price(
    struct service_call *call, const struct record *before, const struct record *after)
{
    if (!before || after->values[PRICE].number <= 2 * before->values[PRICE].number)
        return 0;
    return reply_error(call->reply, 409, "Invalid price change", "it would more than double");
}

static const struct resource items = {
    .name = "items",
    .one = "item",
    .title = "Item",
    .table = { columns, sizeof columns / sizeof columns[0] },
    .rule = check_price,
};

static int get_health(struct service_call *call)
{
    return service_reply_health(call, "total_items", "SELECT count(*) FROM items");
}

static const struct endpoint endpoints[] = {
    { "GET /items", rest_list, &items },
    { "POST /items", rest_create, &items },
    { "GET /items/{id:int}", rest_get, &items },
    { "PUT /items/{id:int}", rest_replace, &items },
    { "PATCH /items/{id:int}", rest_patch, &items },
    { "DELETE /items/{id:int}", rest_delete, &items },
    { "GET /health", get_health, NULL },
};

static const struct service menu = {
    .program = "menu",
    .name = "menu-service",
    .database = "menu.db",
    .port = 5003,
    .schema = { steps, sizeof steps / sizeof steps[0], 0x6370656d /* any number of its own */ },
    .endpoints = endpoints,
    .endpoint_count = sizeof endpoints / sizeof endpoints[0],
};

int main(int argc, char **argv)
{
    return service_run(argc, argv, &menu);
}
