/* db: one connection to a SQLite file, its prepared statements and its schema version.
 *
 * The only file that sees <sqlite3.h>. A connection belongs to one thread. */
#ifndef LIB_DB_H
#define LIB_DB_H

#include <stdbool.h>
#include <stdint.h>
#include "str.h"

struct db;    /* a connection */
struct query; /* a prepared statement that belongs to it */

/* Steps of a schema, oldest first, each the text of an SQL file. The file's version (PRAGMA
 * user_version) is the number of steps that it has seen. */
struct db_schema {
    const char *const *steps;
    int step_count;
};

enum db_result {
    DB_ROW,
    DB_DONE,
    DB_BUSY,       /* another writer held the file for too long: 503 */
    DB_FULL,       /* no space: 507 */
    DB_READONLY,   /* 503 */
    DB_CONSTRAINT, /* 409 */
    DB_FAILED,     /* anything else; db_message says what */
};

/* Brings the file at `path` (created where it is missing) to the newest version, all in one
 * transaction, and sets WAL. Call it once at start. False with a message for a person in `error`
 * (not cut: at most `size` bytes), also where the file is newer than the program. */
bool db_prepare(const char *path, const struct db_schema *schema, char *error, size_t size);

/* Opens a connection for the calling thread; NULL with a message in `error`. */
struct db *db_open(const char *path, char *error, size_t size);

/* Closes it and all its queries; db may be NULL. */
void db_close(struct db *db);

/* The statement for `sql`, prepared at its first use on this connection and kept, ready to be
 * bound. `sql` must be a literal: it is known by its address. NULL where it cannot be prepared. */
struct query *db_query(struct db *db, const char *sql);

/* Parameters count from 1. A text is not copied and must live until query_end. */
void query_bind_text(struct query *query, int parameter, struct str text);
void query_bind_int(struct query *query, int parameter, int64_t number);

/* Goes to the first or next row. A NULL query gives DB_FAILED. */
enum db_result query_step(struct query *query);

/* Columns of the row count from 0; valid until the next step. */
struct str query_text(struct query *query, int column);
int64_t query_int(struct query *query, int column);
double query_real(struct query *query, int column);
bool query_is_null(struct query *query, int column);

/* Ends the statement's use, which frees its locks; call it after every last step. May be NULL. */
void query_end(struct query *query);

/* What went wrong last, for the log. */
const char *db_message(const struct db *db);

#endif
