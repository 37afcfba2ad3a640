/* users: the users service: its schema, its columns, its endpoints.
 *
 * Knows no orders. What a reply looks like is the contract's with its callers, key order included.
 */
#include "users.h"
#include "lib/uri.h"

static const char *const steps[] = {
#include "fcgi-users/sql/1-schema.sql.inc"
#include "fcgi-users/sql/2-first-users.sql.inc"
#include "fcgi-users/sql/3-summary.sql.inc"
};

static const struct column columns[] = {
    { "id", COLUMN_INT },
    { "name", COLUMN_TEXT },
    { "email", COLUMN_TEXT },
    { "cpf", COLUMN_TEXT },
    { "member_since", COLUMN_TEXT },
    { "favorite_drink", COLUMN_TEXT },
    { "loyalty_points", COLUMN_INT },
    { "active", COLUMN_BOOL },
};

static const struct table users = { columns, sizeof columns / sizeof columns[0] };

/* The columns above, in their order. */
#define SELECT_USERS                                                                               \
    "SELECT id, name, email, cpf, member_since, favorite_drink, loyalty_points, active FROM "      \
    "users "

static const char count_users[] = "SELECT coalesce(sum(users), 0) FROM user_totals";

/* GET /users, also ?active=true or false */
static int list_users(struct service_call *call)
{
    static const char *const error = "Invalid query parameter";
    struct request *request = call->request;
    struct str active;
    struct query *query;
    switch (uri_parameter(request->query, "active", request->arena, &active)) {
    case URI_ABSENT:
        query = db_query(call->db, SELECT_USERS "ORDER BY id");
        break;
    case URI_PRESENT:
        if (!str_is_nocase(active, "true") && !str_is_nocase(active, "false"))
            return reply_error(call->reply, 400, error, "active must be true or false");
        query = db_query(call->db, SELECT_USERS "WHERE active = ?1 ORDER BY id");
        query_bind_int(query, 1, str_is_nocase(active, "true"));
        break;
    default:
        return reply_error(call->reply, 400, error, "active is not percent-encoded properly");
    }
    struct buf body = service_body(call);
    return service_reply_rows(call, &body, "users", &users, query);
}

/* GET /users/{id} */
static int get_user(struct service_call *call)
{
    int64_t id;
    if (!service_id(call, "id", &id))
        return reply_error(call->reply, 404, "User not found", NULL);
    struct query *query = db_query(call->db, SELECT_USERS "WHERE id = ?1");
    query_bind_int(query, 1, id);
    struct buf body = service_body(call);
    return service_reply_row(call, &body, "user", &users, query, "User not found");
}

/* GET /users/drink/{drink}
 *
 * People write drinks as they like. The index is used to jump from each spelling to the next one,
 * and users are looked up for those spellings that are equal without letter case: the cost depends
 * on how many drinks there are and not on how many users. (An index on fold(favorite_drink) would
 * make the file unusable for programs that have no such function.) */
static int list_users_by_drink(struct service_call *call)
{
    struct str drink = route_parameter(&call->match, "drink");
    struct query *query = db_query(call->db,
        "WITH RECURSIVE drinks(drink) AS ("
        "  SELECT min(favorite_drink) FROM users"
        "  UNION ALL"
        "  SELECT (SELECT min(favorite_drink) FROM users WHERE favorite_drink > drink)"
        "  FROM drinks WHERE drink IS NOT NULL"
        ") " SELECT_USERS "WHERE favorite_drink IN"
        "  (SELECT drink FROM drinks WHERE fold(drink) = fold(?1)) "
        "ORDER BY id");
    query_bind_text(query, 1, drink);
    struct buf body = service_body(call);
    service_add_text(&body, "drink", drink);
    return service_reply_rows(call, &body, "users", &users, query);
}

/* GET /users/summary: what the gateway's /dashboard needs of users */
static int get_summary(struct service_call *call)
{
    int64_t total;
    enum db_result result = db_number(call->db, count_users, &total);
    if (result != DB_ROW)
        return service_reply_failed(call, result);
    struct buf body = service_body(call);
    service_add_int(&body, "total_users", total);
    return service_reply(call, &body);
}

/* GET /health */
static int get_health(struct service_call *call)
{
    return service_reply_health(call, "total_users", count_users);
}

static const struct endpoint endpoints[] = {
    { "GET /users", list_users },
    { "GET /users/summary", get_summary },
    { "GET /users/{id:int}", get_user },
    { "GET /users/drink/{drink}", list_users_by_drink },
    { "GET /health", get_health },
};

const struct service users_service = {
    .program = "fcgi-users",
    .name = "users-service",
    .database = "users.db",
    .port = 5001,
    .schema = { steps, sizeof steps / sizeof steps[0], 0x63707573 /* "cpus" */ },
    .endpoints = endpoints,
    .endpoint_count = sizeof endpoints / sizeof endpoints[0],
};
