/* table: rows of an SQL table as JSON, driven by a static const list of its columns. */
#ifndef LIB_TABLE_H
#define LIB_TABLE_H

#include "buf.h"
#include "db.h"

enum column_type {
    COLUMN_INT,
    COLUMN_TEXT,
    COLUMN_BOOL,   /* 0 or 1 in the file, false or true in JSON */
    COLUMN_CENTS,  /* whole cents in the file, a number with 2 decimals in JSON: 1250 is 12.50 */
    COLUMN_DATE,   /* text, "2024-11-28" */
    COLUMN_MINUTE, /* text, "2024-11-28 08:30", UTC */
};

struct column {
    const char *name; /* in the file and in JSON */
    enum column_type type;

    /* What a body may say, see validate.h; what is left out restricts nothing. */
    bool is_read_only;         /* the service gives it; a body may only repeat an id */
    bool is_fixed;             /* given with a new row; afterwards a body may only repeat it */
    bool is_derived;           /* follows from the column before it: not missed where that is bad */
    const char *fallback;      /* what stands where a body says nothing, as text: "0", "true";
                                * "now" of dates and minutes; NULL: a body must say it */
    int64_t min, max;          /* of a number (or its cents); of a text, how many characters */
    const char *const *values; /* all that a text can be; ends with NULL */
    const char *(*check)(struct str text); /* says what is wrong with a text, or NULL */
    const char *taken; /* no two rows have the same (UNIQUE in the file): "Email already in use" */

    /* How lists are filtered by it, see filter.h. */
    const char *filter;    /* an SQL condition with one ?, "active = ?"; NULL: they are not */
    const char *parameter; /* the query parameter; NULL: it has the column's name */
    struct str (*spelling)(struct str given, struct arena *arena); /* how the file spells it */
};

/* More columns than any table has. */
#define TABLE_COLUMNS_MAX 32

struct table {
    const struct column *columns; /* in the order of the SELECT and of the JSON object */
    int column_count;
};

/* One column's value in memory; which of the two it is says the column's type. */
struct value {
    bool is_set;
    int64_t number;  /* COLUMN_INT, COLUMN_BOOL, COLUMN_CENTS */
    struct str text; /* the others */
};

/* A row in memory, or what a body says of one. */
struct record {
    struct value values[TABLE_COLUMNS_MAX];
};

/* Is the column's value a text, in the file and in struct value? */
bool table_is_text(const struct column *column);

bool table_is_same(const struct column *column, const struct value *a, const struct value *b);

/* Takes the current row into memory; its texts are copied to `arena`. */
void table_read_row(
    const struct table *table, struct query *query, struct arena *arena, struct record *record);

/* Binds a column's value; its text must live until query_end. */
void table_bind(
    struct query *query, int parameter, const struct column *column, const struct value *value);

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
