/* filter: which rows a list has: the query's parameters as SQL conditions. */
#ifndef LIB_FILTER_H
#define LIB_FILTER_H

#include "rest.h"

/* One filter that is in use, and the value that it is bound to. */
struct filter {
    const struct column *column;
    struct value value;
};

struct filters {
    struct filter used[TABLE_COLUMNS_MAX];
    int count;
};

/* The column that `parameter` filters by, or NULL. */
const struct column *filter_column(const struct table *table, const char *parameter);

/* Adds one, from a text of the client. Returns NULL, or what is wrong with it, for the client. */
const char *filter_add(
    struct filters *filters, const struct column *column, struct str given, struct arena *arena);

/* Adds those of the query string; parameters that are no filters are passed over. */
const char *filter_read(
    struct filters *filters, const struct table *table, struct str query, struct arena *arena);

/* Appends " WHERE active = ? AND ..."; `more` is one condition more, or NULL. */
void filter_write(struct buf *sql, const struct filters *filters, const char *more);

/* Binds their values to the query's first parameters; returns the number of the next one. */
int filter_bind(const struct filters *filters, struct query *query);

/* The number of rows that they leave. DB_ROW, or what went wrong. */
enum db_result filter_count(const struct filters *filters, const struct resource *resource,
    struct db *db, struct arena *arena, int64_t *count);

#endif
