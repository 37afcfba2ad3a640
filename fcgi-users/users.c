/* users: the users service: its schema, its columns, its endpoints.
 *
 * Knows no orders. What a reply looks like is the contract's with its callers, key order included.
 */
#include "users.h"
#include "lib/rest.h"

static const char *const steps[] = {
#include "fcgi-users/sql/1-schema.sql.inc"
#include "fcgi-users/sql/2-first-users.sql.inc"
#include "fcgi-users/sql/3-summary.sql.inc"
#include "fcgi-users/sql/4-versions.sql.inc"
#include "lib/sql/replies.sql.inc"
#include "fcgi-users/sql/6-indexes.sql.inc"
};

/* Who mistypes an address is to hear it; whether it exists, only a mail to it would tell. ASCII, as
 * RFC 5321 has it: without letter case it is then unique in the file's eyes too, which know no
 * other letters (COLLATE NOCASE). */
static const char *check_email(struct str email)
{
    const char *at = memchr(email.at, '@', email.len);
    for (size_t i = 0; i < email.len; i++) {
        if (email.at[i] == ' ' || email.at[i] == '\t')
            return "must not contain blanks";
        if (email.at[i] < ' ' || email.at[i] > '~')
            return "must be of ASCII characters";
    }
    if (!at || memchr(at + 1, '@', (size_t)(email.at + email.len - at - 1)))
        return "must have one @";
    if (at == email.at || at + 1 == email.at + email.len)
        return "must have something on both sides of its @";
    return NULL;
}

/* Brazil's number of a taxpayer, as it is written. Its check digits are not looked at: those of the
 * users that the service starts with are made up. */
static const char *check_cpf(struct str cpf)
{
    static const char picture[] = "ddd.ddd.ddd-dd";
    bool is_right = cpf.len == sizeof picture - 1;
    for (size_t i = 0; is_right && i < cpf.len; i++) {
        bool is_digit = cpf.at[i] >= '0' && cpf.at[i] <= '9';
        is_right = picture[i] == 'd' ? is_digit : cpf.at[i] == picture[i];
    }
    return is_right ? NULL : "must have the form ddd.ddd.ddd-dd";
}

/* clang-format off */
static const struct column columns[] = {
    { .name = "id",             .type = COLUMN_INT,  .is_read_only = true },
    { .name = "name",           .type = COLUMN_TEXT, .min = 1, .max = 200 },
    { .name = "email",          .type = COLUMN_TEXT, .min = 3, .max = 254, .check = check_email,
      .taken = "Email already in use" },
    { .name = "cpf",            .type = COLUMN_TEXT, .check = check_cpf,
      .taken = "CPF already in use" },
    { .name = "member_since",   .type = COLUMN_DATE, .fallback = "now" },
    { .name = "favorite_drink", .type = COLUMN_TEXT, .min = 1, .max = 200, .parameter = "drink",
      /* Looks at each spelling of each drink and not at each user. (An index on fold(favorite_drink)
       * would make the file unusable for programs that have no such function.) */
      .filter = "favorite_drink IN (SELECT favorite_drink FROM user_drink_totals"
                "                   WHERE fold(favorite_drink) = fold(?))" },
    { .name = "loyalty_points", .type = COLUMN_INT,  .min = 0, .max = 1000000000, .fallback = "0" },
    { .name = "active",         .type = COLUMN_BOOL, .fallback = "true", .filter = "active = ?" },
};
/* clang-format on */

static const struct resource_total totals[] = {
    { "SELECT coalesce(sum(users), 0) FROM user_totals", { "active" } },
    { "SELECT coalesce(sum(users), 0) FROM user_drink_totals", { "active", "favorite_drink" } },
    { .select = NULL },
};

static const struct resource users = {
    .name = "users",
    .one = "user",
    .title = "User",
    .table = { columns, sizeof columns / sizeof columns[0] },
    .totals = totals,
};

static const char count_users[] = "SELECT coalesce(sum(users), 0) FROM user_totals";

/* GET /users/drink/{drink} */
static int list_users_by_drink(struct service_call *call)
{
    return rest_list_by(call, "drink", true);
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
    { "GET /users", rest_list, &users },
    { "POST /users", rest_create, &users },
    { "GET /users/{id:int}", rest_get, &users },
    { "PUT /users/{id:int}", rest_replace, &users },
    { "PATCH /users/{id:int}", rest_patch, &users },
    { "DELETE /users/{id:int}", rest_delete, &users },
    { "GET /users/drink/{drink}", list_users_by_drink, &users },
    { "GET /users/summary", get_summary, NULL },
    { "GET /health", get_health, NULL },
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
