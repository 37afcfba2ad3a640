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
    int application_id; /* tells this schema's files from all others (PRAGMA application_id) */
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
 * transaction, and sets WAL. Call it once at start; several processes may do so at once. False with
 * a message for a person in `error` (`size` bytes, cut where it is longer), also where the file is
 * newer than the program or is not of this schema at all. */
bool db_prepare(const char *path, const struct db_schema *schema, char *error, size_t size);

/* Opens a connection to a prepared file for the calling thread; NULL with a message in `error`,
 * also where the file is missing. SQL has one function more on it: fold(text), see text_fold. */
struct db *db_open(const char *path, char *error, size_t size);

/* Closes it and all its queries; db may be NULL. */
void db_close(struct db *db);

/* Commits from now on survive the program's end, but the last ones not a power cut: several times
 * as fast. Without it they survive both. */
bool db_loosen(struct db *db);

/* Was the file deleted, moved or replaced since the connection was opened? SQLite goes on with the
 * file that has no name any more, so what is written to it would be lost. Costs one stat(). */
bool db_is_gone(struct db *db);

/* All reads between these two see one state of the file, whatever is written meanwhile. Returns
 * DB_DONE, or what went wrong; db_end_read is then not needed but allowed. */
enum db_result db_begin_read(struct db *db);
void db_end_read(struct db *db);

/* Writers of one process wait for each other here, before they meet those of others in the file:
 * SQLite would let them try again after pauses of up to 100 ms, and whoever is unlucky gives up. */
struct gate;

/* Begins to write, alone: waits for other writers, for some seconds at most (DB_BUSY). Reads that
 * follow see what those have written. Returns DB_DONE, or what went wrong; then nothing has begun.
 * `gate` (see gate.h) is that of all connections to the file. */
enum db_result db_begin_write(struct db *db, struct gate *gate);

/* Ends it, and lets the next one in. What db_commit returns DB_DONE for is in the file and survives
 * what db_loosen says; otherwise nothing was written. */
enum db_result db_commit(struct db *db);
void db_rollback(struct db *db);

/* The statement for `sql`, prepared at its first use on this connection and kept, ready to be
 * bound. `sql` is known by its address: a literal, or text that neither moves nor changes while
 * the connection lives. NULL where it cannot be prepared. */
struct query *db_query(struct db *db, const char *sql);

/* The same for SQL that was put together: it is known by its text. Statements are kept as long as
 * the connection, so there must be few of them and nothing from outside may be in their text. */
struct query *db_query_text(struct db *db, struct str sql);

/* Parameters count from 1. A text is not copied and must live until query_end. What goes wrong is
 * reported by the next query_step; the query may be NULL. */
void query_bind_text(struct query *query, int parameter, struct str text);
void query_bind_int(struct query *query, int parameter, int64_t number);

/* Goes to the first or next row. A NULL query gives DB_FAILED. */
enum db_result query_step(struct query *query);

/* The number that `sql` (as for db_query) selects in its first row. Returns DB_ROW, or what went
 * wrong; DB_DONE where there is no row. */
enum db_result db_number(struct db *db, const char *sql, int64_t *number);

/* Columns of the row count from 0; valid until the next step. NULL is an empty text and 0. */
struct str query_text(struct query *query, int column);
int64_t query_int(struct query *query, int column);
double query_real(struct query *query, int column);
bool query_is_null(struct query *query, int column);

/* Ends the statement's use, which frees its locks; call it after every last step. May be NULL. */
void query_end(struct query *query);

/* What went wrong last, for the log; stays until the next failure. */
const char *db_message(const struct db *db);

#endif
