/* rest: the endpoints of a table: list, get, create, replace, patch, delete.
 *
 * A service says which columns its table has (table.h) and what else is to be known of it (struct
 * resource); its table of endpoints names the functions here. docs/services.md shows how. */
#ifndef LIB_REST_H
#define LIB_REST_H

#include "service.h"

/* A number of rows that the database keeps itself, for some filters. */
struct resource_total {
    const char *select;     /* "SELECT coalesce(sum(orders), 0) FROM order_totals"; the filters'
                             * conditions are put behind it */
    const char *columns[4]; /* those that its table has, and no other filter can be used with it */
};

struct resource {
    const char *name;  /* "users": the table in the file, the path, the list in replies */
    const char *one;   /* "user": one of them in replies */
    const char *title; /* "User": as in "User not found" */

    /* The first column is id INTEGER PRIMARY KEY AUTOINCREMENT, is_read_only. Besides the columns
     * here the SQL table has version INTEGER NOT NULL DEFAULT 1, which counts the row's changes. */
    struct table table;

    /* What must hold between a row as it was and as it shall be (`before` is NULL for a new one);
     * called while nobody else can write. Returns 0, or the status of the reply that it has filled.
     * NULL: all that the columns say is enough. */
    int (*rule)(struct service_call *call, const struct record *before, const struct record *after);

    const struct resource_total *totals; /* the first that has all columns of the filters is asked;
                                          * where there is none, rows are counted. Ends with NULL */
};

/* GET /users: ?limit=, ?after= and the columns' filters, see page.h and filter.h. */
int rest_list(struct service_call *call);

/* GET /orders/status/{status}: a list as above, of the rows where the path's parameter (named like
 * the filter's) is so. It comes back in the reply: as given, or as the file spells it. */
int rest_list_by(struct service_call *call, const char *parameter, bool is_as_given);

int rest_get(struct service_call *call);     /* GET /users/{id:int} */
int rest_create(struct service_call *call);  /* POST /users */
int rest_replace(struct service_call *call); /* PUT /users/{id:int} */
int rest_patch(struct service_call *call);   /* PATCH /users/{id:int} */
int rest_delete(struct service_call *call);  /* DELETE /users/{id:int} */

#endif
