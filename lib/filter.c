/* filter: which rows a list has: the query's parameters as SQL conditions.
 *
 * The conditions' text comes from the table of columns, only values come from outside, and those
 * are bound: a list has as many statements as there are combinations of its filters. */
#include "filter.h"
#include "page.h"
#include "uri.h"

static const char *parameter_of(const struct column *column)
{
    return column->parameter ? column->parameter : column->name;
}

const struct column *filter_column(const struct table *table, const char *parameter)
{
    for (int i = 0; i < table->column_count; i++)
        if (table->columns[i].filter && strcmp(parameter_of(&table->columns[i]), parameter) == 0)
            return &table->columns[i];
    return NULL;
}

static const char *complain(const struct column *column, const char *complaint, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, "%s %s", parameter_of(column), complaint);
    return buf_as_text(&text);
}

const char *filter_add(
    struct filters *filters, const struct column *column, struct str given, struct arena *arena)
{
    struct filter *filter = &filters->used[filters->count++];
    *filter = (struct filter){ .column = column, .value = { .is_set = true } };
    switch (column->type) {
    case COLUMN_BOOL:
        filter->value.number = str_is_nocase(given, "true");
        if (filter->value.number || str_is_nocase(given, "false"))
            return NULL;
        return complain(column, "must be true or false", arena);
    case COLUMN_INT:
        if (page_number(given, &filter->value.number))
            return NULL;
        return complain(column, "must be a whole number", arena);
    case COLUMN_TEXT:
    case COLUMN_DATE:
    case COLUMN_MINUTE:
    case COLUMN_CENTS: /* nobody looks for a price */
        break;
    }
    filter->value.text = column->spelling ? column->spelling(given, arena) : given;
    return NULL;
}

const char *filter_read(
    struct filters *filters, const struct table *table, struct str query, struct arena *arena)
{
    const char *complaint = NULL;
    for (int i = 0; i < table->column_count && !complaint; i++) {
        const struct column *column = &table->columns[i];
        struct str given;
        if (!column->filter)
            continue;
        switch (uri_parameter(query, parameter_of(column), arena, &given)) {
        case URI_ABSENT:
            break;
        case URI_PRESENT:
            complaint = filter_add(filters, column, given, arena);
            break;
        case URI_BROKEN:
            complaint = complain(column, "is not percent-encoded properly", arena);
            break;
        }
    }
    return complaint;
}

void filter_write(struct buf *sql, const struct filters *filters, const char *more)
{
    const char *before = " WHERE ";
    for (int i = 0; i < filters->count; i++) {
        buf_text(sql, before);
        buf_text(sql, filters->used[i].column->filter);
        before = " AND ";
    }
    if (more) {
        buf_text(sql, before);
        buf_text(sql, more);
    }
}

int filter_bind(const struct filters *filters, struct query *query)
{
    for (int i = 0; i < filters->count; i++)
        table_bind(query, i + 1, filters->used[i].column, &filters->used[i].value);
    return filters->count + 1;
}

/* Does it have all columns that are filtered by? */
static bool is_enough(const struct resource_total *total, const struct filters *filters)
{
    int found = 0;
    for (int i = 0; i < filters->count; i++)
        for (size_t j = 0; j < sizeof total->columns / sizeof *total->columns; j++)
            if (total->columns[j] && strcmp(total->columns[j], filters->used[i].column->name) == 0)
                found++;
    return found == filters->count;
}

enum db_result filter_count(const struct filters *filters, const struct resource *resource,
    struct db *db, struct arena *arena, int64_t *count)
{
    struct buf sql;
    const struct resource_total *total = resource->totals;
    while (total && total->select && !is_enough(total, filters))
        total++;
    buf_init(&sql, arena);
    if (total && total->select)
        buf_text(&sql, total->select);
    else
        buf_printf(&sql, "SELECT count(*) FROM %s", resource->name);
    filter_write(&sql, filters, NULL);
    struct query *query = db_query_text(db, buf_as_str(&sql));
    filter_bind(filters, query);
    enum db_result result = query_step(query);
    *count = result == DB_ROW ? query_int(query, 0) : 0;
    query_end(query);
    return result;
}
