/* row: one row of a resource's table: found, added, changed, deleted.
 *
 * The SQL is put together from the table of columns alone; every value is bound. */
#include "row.h"

static void add_columns(struct buf *sql, const struct resource *resource)
{
    for (int i = 0; i < resource->table.column_count; i++) {
        buf_text(sql, resource->table.columns[i].name);
        buf_text(sql, ", ");
    }
    buf_text(sql, "version");
}

void row_write_select(struct buf *sql, const struct resource *resource)
{
    buf_text(sql, "SELECT ");
    add_columns(sql, resource);
    buf_text(sql, " FROM ");
    buf_text(sql, resource->name);
}

struct query *row_find(
    struct db *db, const struct resource *resource, int64_t id, struct arena *arena)
{
    struct buf sql;
    buf_init(&sql, arena);
    row_write_select(&sql, resource);
    buf_text(&sql, " WHERE id = ?");
    struct query *query = db_query_text(db, buf_as_str(&sql));
    query_bind_int(query, 1, id);
    return query;
}

static bool is_written(const struct resource *resource, const struct record *record, int i)
{
    return record->values[i].is_set && !resource->table.columns[i].is_read_only;
}

/* Binds what is written, from the first parameter on; returns the number of the next one. */
static int bind_values(
    struct query *query, const struct resource *resource, const struct record *record)
{
    int parameter = 1;
    for (int i = 0; i < resource->table.column_count; i++)
        if (is_written(resource, record, i))
            table_bind(query, parameter++, &resource->table.columns[i], &record->values[i]);
    return parameter;
}

struct query *row_insert(struct db *db, const struct resource *resource,
    const struct record *record, struct arena *arena)
{
    struct buf sql, values;
    const char *separator = "";
    buf_init(&sql, arena);
    buf_init(&values, arena);
    buf_printf(&sql, "INSERT INTO %s (", resource->name);
    for (int i = 0; i < resource->table.column_count; i++) {
        if (!is_written(resource, record, i))
            continue;
        buf_text(&sql, separator);
        buf_text(&sql, resource->table.columns[i].name);
        buf_text(&values, separator);
        buf_char(&values, '?');
        separator = ", ";
    }
    buf_text(&sql, ") VALUES (");
    buf_str(&sql, buf_as_str(&values));
    buf_text(&sql, ") RETURNING ");
    add_columns(&sql, resource);
    struct query *query = db_query_text(db, buf_as_str(&sql));
    bind_values(query, resource, record);
    return query;
}

struct query *row_update(struct db *db, const struct resource *resource, int64_t id,
    const struct record *record, struct arena *arena)
{
    struct buf sql;
    buf_init(&sql, arena);
    buf_printf(&sql, "UPDATE %s SET ", resource->name);
    for (int i = 0; i < resource->table.column_count; i++)
        if (is_written(resource, record, i))
            buf_printf(&sql, "%s = ?, ", resource->table.columns[i].name);
    buf_text(&sql, "version = version + 1 WHERE id = ? RETURNING ");
    add_columns(&sql, resource);
    struct query *query = db_query_text(db, buf_as_str(&sql));
    query_bind_int(query, bind_values(query, resource, record), id);
    return query;
}

enum db_result row_delete(
    struct db *db, const struct resource *resource, int64_t id, struct arena *arena)
{
    struct buf sql;
    buf_init(&sql, arena);
    buf_printf(&sql, "DELETE FROM %s WHERE id = ?", resource->name);
    struct query *query = db_query_text(db, buf_as_str(&sql));
    query_bind_int(query, 1, id);
    enum db_result result = query_step(query);
    query_end(query);
    return result;
}

struct str row_etag(
    const struct resource *resource, struct query *query, struct arena *arena, int64_t *id)
{
    struct buf etag;
    *id = query_int(query, 0);
    buf_init(&etag, arena);
    buf_printf(&etag, "\"%lld-%lld\"", (long long)*id,
        (long long)query_int(query, resource->table.column_count));
    return buf_as_str(&etag);
}

enum db_result row_is_taken(struct db *db, const struct resource *resource, int column,
    const struct value *value, int64_t id, struct arena *arena)
{
    struct buf sql;
    buf_init(&sql, arena);
    buf_printf(&sql, "SELECT 1 FROM %s WHERE %s = ? AND id <> ?", resource->name,
        resource->table.columns[column].name);
    struct query *query = db_query_text(db, buf_as_str(&sql));
    table_bind(query, 1, &resource->table.columns[column], value);
    query_bind_int(query, 2, id);
    enum db_result result = query_step(query);
    query_end(query);
    return result;
}
