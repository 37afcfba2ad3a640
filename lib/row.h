/* row: one row of a resource's table: found, added, changed, deleted. */
#ifndef LIB_ROW_H
#define LIB_ROW_H

#include "rest.h"

/* Appends "SELECT id, name, ..., version FROM users". */
void row_write_select(struct buf *sql, const struct resource *resource);

/* The query for the row with this id, to be stepped and ended. */
struct query *row_find(
    struct db *db, const struct resource *resource, int64_t id, struct arena *arena);

/* A query that adds or changes a row and gives it back as row_find does; then it must be stepped
 * once more, to DB_DONE. Columns of *record that are not set, and the id, are left out. */
struct query *row_insert(struct db *db, const struct resource *resource,
    const struct record *record, struct arena *arena);
struct query *row_update(struct db *db, const struct resource *resource, int64_t id,
    const struct record *record, struct arena *arena);

enum db_result row_delete(
    struct db *db, const struct resource *resource, int64_t id, struct arena *arena);

/* The entity tag of the current row of any of these queries: "1-7" with its quotes is the 7th
 * version of row 1. Ids are never given twice, and the database counts the versions. */
struct str row_etag(
    const struct resource *resource, struct query *query, struct arena *arena, int64_t *id);

/* Is there a row with the column's value, other than the one with `id`? DB_ROW, DB_DONE (no), or
 * what went wrong. */
enum db_result row_is_taken(struct db *db, const struct resource *resource, int column,
    const struct value *value, int64_t id, struct arena *arena);

#endif
