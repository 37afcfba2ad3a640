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

bool table_is_text(const struct column *column)
{
    switch (column->type) {
    case COLUMN_INT:
    case COLUMN_BOOL:
    case COLUMN_CENTS:
        return false;
    case COLUMN_TEXT:
    case COLUMN_DATE:
    case COLUMN_MINUTE:
        break;
    }
    return true;
}

bool table_is_same(const struct column *column, const struct value *a, const struct value *b)
{
    return table_is_text(column) ? str_eq(a->text, b->text) : a->number == b->number;
}

void table_read_row(
    const struct table *table, struct query *query, struct arena *arena, struct record *record)
{
    for (int i = 0; i < table->column_count; i++) {
        struct value *value = &record->values[i];
        *value = (struct value){ .is_set = true };
        if (!table_is_text(&table->columns[i])) {
            value->number = query_int(query, i);
            continue;
        }
        struct str text = query_text(query, i);
        value->text = (struct str){ arena_copy(arena, text.at ? text.at : "", text.len), text.len };
    }
}

void table_bind(
    struct query *query, int parameter, const struct column *column, const struct value *value)
{
    if (table_is_text(column))
        query_bind_text(query, parameter, value->text);
    else
        query_bind_int(query, parameter, value->number);
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
    case COLUMN_DATE:
    case COLUMN_MINUTE:
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
