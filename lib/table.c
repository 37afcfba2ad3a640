/* table: rows of an SQL table as JSON, driven by a static const list of its columns.
 *
 * A service says once which columns it has and how each looks in JSON; nothing here knows which
 * table it is. */
#include "table.h"

void table_write_cents(struct buf *out, int64_t cents)
{
    /* The amount is taken unsigned: the smallest int64_t has no positive counterpart. */
    uint64_t amount = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    buf_printf(out, "%s%llu.%02llu", cents < 0 ? "-" : "", (unsigned long long)(amount / 100),
        (unsigned long long)(amount % 100));
}

static void write_value(struct buf *out, enum column_type type, struct query *query, int column)
{
    if (query_is_null(query, column)) {
        buf_text(out, "null");
        return;
    }
    switch (type) {
    case COLUMN_INT:
        buf_int(out, query_int(query, column));
        break;
    case COLUMN_TEXT:
        buf_json_string(out, query_text(query, column));
        break;
    case COLUMN_BOOL:
        buf_text(out, query_int(query, column) ? "true" : "false");
        break;
    case COLUMN_CENTS:
        table_write_cents(out, query_int(query, column));
        break;
    }
}

void table_write_row(struct buf *out, const struct table *table, struct query *query)
{
    buf_char(out, '{');
    for (int i = 0; i < table->column_count; i++) {
        if (i > 0)
            buf_char(out, ',');
        buf_json_string(out, str_of(table->columns[i].name));
        buf_char(out, ':');
        write_value(out, table->columns[i].type, query, i);
    }
    buf_char(out, '}');
}

enum db_result table_write_rows(
    struct buf *out, const struct table *table, struct query *query, int64_t *count)
{
    enum db_result result;
    *count = 0;
    buf_char(out, '[');
    while ((result = query_step(query)) == DB_ROW) {
        if ((*count)++ > 0)
            buf_char(out, ',');
        table_write_row(out, table, query);
    }
    buf_char(out, ']');
    query_end(query);
    return result;
}
