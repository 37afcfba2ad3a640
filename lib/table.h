/* table: rows of an SQL table as JSON, driven by a static const list of its columns. */
#ifndef LIB_TABLE_H
#define LIB_TABLE_H

#include "buf.h"
#include "db.h"

enum column_type {
    COLUMN_INT,
    COLUMN_TEXT,
    COLUMN_BOOL,  /* 0 or 1 in the file, false or true in JSON */
    COLUMN_CENTS, /* whole cents in the file, a number with 2 decimals in JSON: 1250 is 12.50 */
};

struct column {
    const char *name; /* in the file and in JSON */
    enum column_type type;
};

struct table {
    const struct column *columns; /* in the order of the SELECT and of the JSON object */
    int column_count;
};

/* Appends the current row as a JSON object. The query selects the table's columns in their order.
 */
void table_write_row(struct buf *out, const struct table *table, struct query *query);

/* Steps through all rows and appends a JSON array; *count is the number of rows. Returns DB_DONE,
 * or what went wrong (the array is then not whole). Ends the query. */
enum db_result table_write_rows(
    struct buf *out, const struct table *table, struct query *query, int64_t *count);

/* Whole cents as a number with 2 decimals: 1250 is 12.50, -5 is -0.05. */
void table_write_cents(struct buf *out, int64_t cents);

#endif
