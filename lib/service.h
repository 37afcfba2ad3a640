/* service: what every small service over a SQLite file shares: start, connections, routes, replies.
 *
 * A service is a schema, tables of columns, a table of endpoints and their handlers; main() is one
 * call of service_run. */
#ifndef LIB_SERVICE_H
#define LIB_SERVICE_H

#include "db.h"
#include "reply.h"
#include "request.h"
#include "route.h"
#include "table.h"

struct service;
struct resource; /* a table that endpoints are about, see rest.h */
struct gate;

/* One request on its way through a service; everything in it lives until the handler returns. */
struct service_call {
    const struct service *service;
    struct request *request;
    struct reply *reply;
    struct route_match match;
    const struct resource *resource; /* the endpoint's */
    struct db *db;                   /* this thread's connection */
    struct gate *gate;               /* of all who write to the file, for db_begin_write */
    bool is_db_suspect, is_db_readonly;
};

struct endpoint {
    const char *line; /* "GET /users/{id:int}", see route.h */
    int (*answer)(struct service_call *call);
    const struct resource *resource; /* that the call is about; NULL: none */
};

struct service {
    const char *program;  /* "fcgi-users": stands in log lines */
    const char *name;     /* "users-service": stands in replies */
    const char *database; /* "users.db": the file's name in the run directory */
    int port;             /* that it has where services talk over TCP; /health names it */
    struct db_schema schema;
    const struct endpoint *endpoints;
    int endpoint_count;
};

/* A service's main(): options, database, routes, then requests until it is told to end. Returns the
 * program's exit status. */
int service_run(int argc, char **argv, const struct service *service);

/* The number in path parameter `name`, an {...:int}. False where it does not fit: nothing can have
 * such an id. */
bool service_id(const struct service_call *call, const char *name, int64_t *id);

/* A reply's body that has been begun: {"service":"users-service" - and is ended by a function whose
 * name starts with service_reply. */
struct buf service_body(const struct service_call *call);

/* Adds ,"name": and, but for the first, a value. */
void service_add_name(struct buf *body, const char *name);
void service_add_text(struct buf *body, const char *name, struct str value);
void service_add_int(struct buf *body, const char *name, int64_t value);

/* Ends the body and replies 200 with it. */
int service_reply(struct service_call *call, struct buf *body);

/* Adds ,"name":{...} with the query's one row and replies; 404 with `not_found` where there is no
 * row. Ends the query, which may be NULL. */
int service_reply_row(struct service_call *call, struct buf *body, const char *name,
    const struct table *table, struct query *query, const char *not_found);

/* Adds ,"total":n,"name":[...] with all rows of the query and replies. Ends the query, which may be
 * NULL. */
int service_reply_rows(struct service_call *call, struct buf *body, const char *name,
    const struct table *table, struct query *query);

/* GET /health: the number that `count_sql` (known by its address, see db_query) selects, under
 * `count_name`. */
int service_reply_health(struct service_call *call, const char *count_name, const char *count_sql);

/* What a caller hears of a database that failed; the cause goes to the log. `result` is neither
 * DB_ROW nor DB_DONE. The connection is opened anew for the next request. */
int service_reply_failed(struct service_call *call, enum db_result result);

#endif
