/* validate: what a body says of a row, held against the table's columns. */
#ifndef LIB_VALIDATE_H
#define LIB_VALIDATE_H

#include <time.h>
#include "json.h"
#include "table.h"

enum validate_kind {
    VALIDATE_NEW,   /* a row that is not there yet: it has no id */
    VALIDATE_WHOLE, /* all of a row: what is not said falls back */
    VALIDATE_PATCH, /* changes to a row (JSON Merge Patch, RFC 7396): what is not said stays, null
                     * falls back */
};

struct validation {
    const struct table *table;
    const struct json *json;
    struct arena *arena;
    enum validate_kind kind;
    int64_t id; /* of the row that the path names; a body may repeat it */
    time_t now; /* for columns that fall back to it */
};

/* Fills *record with what the body says, or falls back to. False where something is wrong; `fields`
 * is then {"email":"must have one @",...}: an entry for each column, in their order, then for
 * members that are no columns, in the body's order. */
bool validate_body(const struct validation *validation, struct record *record, struct buf *fields);

/* Adds an entry to `fields`, which is empty or was begun by validate_add. validate_end closes it.
 */
void validate_add(struct buf *fields, struct str name, const char *complaint);
void validate_end(struct buf *fields);

#endif
