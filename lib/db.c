/* db: one connection to a SQLite file, its prepared statements and its schema version.
 *
 * Why a file of its own: everything else says what it wants in SQL and sees results, and does not
 * need to know how SQLite names its errors, keeps its locks or moves its schema forward. It never
 * logs: what went wrong is kept as text, and the caller decides who is told.
 */
#include "db.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "db_file.h"
#include "gate.h"
#include "text.h"

/* How long a connection waits for a lock. Below the 5 s after which callers usually give up, so
 * that they hear why, and not only that nobody answered. */
#define DB_WAIT_MS 4000

/* Switching a file to WAL takes a lock that SQLite does not always wait for; several programs that
 * start at once meet here. It is tried again after so long, DB_WAIT_MS in all. */
#define DB_WAL_RETRY_MS 20

#define DB_MESSAGE_MAX 512

struct query {
    struct db *db;
    struct query *next;
    const char *sql;
    size_t text_len; /* of SQL that was put together: its text is this query's own; else 0 */
    sqlite3_stmt *statement;
    int bind_code; /* the first failure of a bind since the last use, or SQLITE_OK */
};

struct db {
    sqlite3 *sqlite;
    struct query *queries;
    struct arena scratch; /* for fold() */
    struct gate *gate;    /* that this connection is behind, while it writes; else NULL */
    char message[DB_MESSAGE_MAX];
};

/* Keeps a message of our own. Returns false, so that failures can end with it. */
__attribute__((format(printf, 2, 3))) static bool fail(struct db *db, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(db->message, sizeof db->message, format, arguments);
    va_end(arguments);
    return false;
}

/* The system's reason for SQLite's last failure, or 0. SQLite keeps it where a statement reads or
 * writes, but not where a commit does; the file of the journal then still has it. */
static int system_cause(struct db *db)
{
    int cause = sqlite3_system_errno(db->sqlite);
    sqlite3_file *journal = NULL;
    if (cause == 0)
        sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal);
    if (journal && journal->pMethods)
        journal->pMethods->xFileControl(journal, SQLITE_FCNTL_LAST_ERRNO, &cause);
    return cause;
}

/* Keeps what SQLite says about its last failure, with the system's reason where there is one:
 * "unable to open database file (No such file or directory)". */
static bool fail_with_sqlite(struct db *db)
{
    int code = sqlite3_errcode(db->sqlite) & 0xff;
    int cause = code == SQLITE_CANTOPEN || code == SQLITE_IOERR ? system_cause(db) : 0;
    if (cause)
        return fail(db, "%s (%s)", sqlite3_errmsg(db->sqlite), strerror(cause));
    return fail(db, "%s", sqlite3_errmsg(db->sqlite));
}

static enum db_result result_of(struct db *db, int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
        return DB_DONE;
    case SQLITE_ROW:
        return DB_ROW;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return DB_BUSY;
    case SQLITE_FULL:
        return DB_FULL;
    case SQLITE_READONLY:
        return DB_READONLY;
    case SQLITE_CONSTRAINT:
        return DB_CONSTRAINT;
    case SQLITE_IOERR: { /* also when a quota or a limit of the file's size is used up */
        int cause = system_cause(db);
        bool is_full = cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
        return is_full ? DB_FULL : DB_FAILED;
    }
    default:
        return DB_FAILED;
    }
}

static bool run(struct db *db, const char *sql)
{
    if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return fail_with_sqlite(db);
}

/* fold(text) for SQL: letter case away, in all of Unicode and not only ASCII as lower() does. */
static void sql_fold(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct db *db = sqlite3_user_data(context);
    const unsigned char *text = sqlite3_value_text(values[0]);
    if (!text)
        return; /* NULL stays NULL */
    struct buf folded;
    arena_reset(&db->scratch);
    buf_init(&folded, &db->scratch);
    text_fold(&folded, (struct str){ (const char *)text, (size_t)sqlite3_value_bytes(values[0]) });
    const char *bytes = folded.len > 0 ? folded.data : "";
    sqlite3_result_text64(context, bytes, folded.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static bool open_file(struct db *db, const char *path, int flags)
{
    /* NOMUTEX: a connection belongs to one thread, so SQLite need not lock it. */
    flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    db_file_mend(path);
    if (sqlite3_open_v2(path, &db->sqlite, flags, NULL) != SQLITE_OK)
        return fail_with_sqlite(db);
    const char *name = sqlite3_db_filename(db->sqlite, "main");
    if (!name || *name == '\0') /* "" and ":memory:" */
        return fail(db, "not the path of a file");
    sqlite3_extended_result_codes(db->sqlite, 1);
    sqlite3_busy_timeout(db->sqlite, DB_WAIT_MS);
    int kind = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    if (sqlite3_create_function(db->sqlite, "fold", 1, kind, db, sql_fold, NULL, NULL) != SQLITE_OK)
        return fail_with_sqlite(db);
    /* Both hold for a connection and not for a file. FULL: what is committed survives a power cut,
     * which WAL alone does not promise. */
    return run(db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
}

static struct db *db_new(void)
{
    struct db *db = calloc(1, sizeof *db);
    if (!db)
        abort();
    arena_init(&db->scratch);
    return db;
}

/* Hands the message over as "path: message" and closes. */
static void give_up(struct db *db, const char *path, char *error, size_t size)
{
    snprintf(error, size, "%s: %s", path, db->message);
    db_close(db);
}

bool db_loosen(struct db *db)
{
    return run(db, "PRAGMA synchronous = NORMAL");
}

static void leave_gate(struct db *db)
{
    if (db->gate)
        gate_leave(db->gate);
    db->gate = NULL;
}

struct db *db_open(const char *path, char *error, size_t size)
{
    struct db *db = db_new();
    if (open_file(db, path, 0))
        return db;
    give_up(db, path, error, size);
    return NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    while (db->queries) {
        struct query *query = db->queries;
        db->queries = query->next;
        sqlite3_finalize(query->statement);
        if (query->text_len > 0)
            free((char *)query->sql);
        free(query);
    }
    sqlite3_close(db->sqlite);
    leave_gate(db);
    arena_clear(&db->scratch);
    free(db);
}

/* The file's version, 0 for an empty one. False for a file that this program must not touch. */
static bool read_version(struct db *db, const struct db_schema *schema, int *version)
{
    int64_t number, id, objects;
    if (db_number(db, "PRAGMA user_version", &number) != DB_ROW ||
        db_number(db, "PRAGMA application_id", &id) != DB_ROW ||
        db_number(db, "SELECT count(*) FROM sqlite_schema", &objects) != DB_ROW)
        return false;
    *version = (int)number; /* SQLite keeps it in 32 bits */
    if (*version > schema->step_count)
        return fail(db,
            "its schema has version %d, this program knows up to %d: "
            "run the newer program, or use another file",
            *version, schema->step_count);
    bool is_empty = *version == 0 && id == 0 && objects == 0;
    if (*version < 0 || (!is_empty && id != schema->application_id))
        return fail(db, "this is another program's database: use another file");
    return true;
}

/* Runs the steps that the file has not seen, inside of a transaction that stands already. */
static bool run_steps(struct db *db, const struct db_schema *schema)
{
    int version;
    if (!read_version(db, schema, &version)) /* again: somebody else may have been faster */
        return false;
    for (int i = version; i < schema->step_count; i++)
        if (!run(db, schema->steps[i]))
            return false;
    char sql[128];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d; PRAGMA application_id = %d",
        schema->step_count, schema->application_id);
    return run(db, sql);
}

static bool upgrade(struct db *db, const struct db_schema *schema)
{
    int version;
    if (db_begin_read(db) != DB_DONE) /* one state: somebody else may be upgrading it */
        return false;
    bool is_ours = read_version(db, schema, &version);
    db_end_read(db);
    if (!is_ours)
        return false;
    if (version == schema->step_count)
        return true; /* nothing is written, so that a file that can only be read will do */
    if (!run(db, "BEGIN IMMEDIATE"))
        return false;
    if (run_steps(db, schema) && run(db, "COMMIT"))
        return true;
    sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

/* Readers and a writer do not wait for each other then. The file remembers it. */
static bool use_wal(struct db *db)
{
    sqlite3_busy_timeout(db->sqlite, 0); /* where SQLite would wait, it would be added to ours */
    struct query *query = db_query(db, "PRAGMA journal_mode = WAL");
    enum db_result result = query_step(query);
    for (int ms = 0; result == DB_BUSY && ms < DB_WAIT_MS; ms += DB_WAL_RETRY_MS) {
        query_end(query);
        sqlite3_sleep(DB_WAL_RETRY_MS);
        result = query_step(query);
    }
    bool is_wal = result == DB_ROW && str_is(query_text(query, 0), "wal");
    if (result == DB_ROW && !is_wal)
        fail(db, "this file system cannot hold a database in WAL mode: use a local one");
    query_end(query);
    return is_wal;
}

bool db_prepare(const char *path, const struct db_schema *schema, char *error, size_t size)
{
    struct db *db = db_new();
    if (open_file(db, path, SQLITE_OPEN_CREATE) && upgrade(db, schema) && use_wal(db)) {
        db_close(db);
        return true;
    }
    give_up(db, path, error, size);
    return false;
}

bool db_is_gone(struct db *db)
{
    int is_moved = 0;
    sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &is_moved);
    return is_moved;
}

enum db_result db_begin_read(struct db *db)
{
    struct query *query = db_query(db, "BEGIN");
    enum db_result result = query_step(query);
    query_end(query);
    return result;
}

void db_end_read(struct db *db)
{
    if (sqlite3_get_autocommit(db->sqlite))
        return; /* SQLite ended it by itself, as it does after some failures */
    struct query *query = db_query(db, "COMMIT");
    query_step(query);
    query_end(query);
}

enum db_result db_begin_write(struct db *db, struct gate *gate)
{
    int left_ms = gate_enter(gate, DB_WAIT_MS);
    if (left_ms < 0) {
        fail(db, "other requests are writing, for too long or too many of them");
        return DB_BUSY;
    }
    db->gate = gate;
    sqlite3_busy_timeout(db->sqlite, left_ms);
    struct query *query = db_query(db, "BEGIN IMMEDIATE");
    enum db_result result = query_step(query);
    query_end(query);
    sqlite3_busy_timeout(db->sqlite, DB_WAIT_MS);
    if (result != DB_DONE)
        leave_gate(db);
    return result;
}

enum db_result db_commit(struct db *db)
{
    struct query *query = db_query(db, "COMMIT");
    enum db_result result = query_step(query);
    query_end(query);
    db_rollback(db); /* where it failed; and the next one may go */
    return result;
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->sqlite))
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    leave_gate(db);
}

static struct query *add_query(struct db *db, const char *sql, size_t len)
{
    sqlite3_stmt *statement;
    int kind = SQLITE_PREPARE_PERSISTENT;
    if (sqlite3_prepare_v3(db->sqlite, sql, (int)len, (unsigned)kind, &statement, NULL) !=
        SQLITE_OK) {
        fail_with_sqlite(db);
        return NULL;
    }
    struct query *query = calloc(1, sizeof *query);
    if (!query)
        abort();
    *query = (struct query){ .db = db, .next = db->queries, .sql = sql, .statement = statement };
    db->queries = query;
    return query;
}

struct query *db_query(struct db *db, const char *sql)
{
    for (struct query *query = db->queries; query; query = query->next)
        if (query->sql == sql)
            return query;
    return add_query(db, sql, strlen(sql));
}

struct query *db_query_text(struct db *db, struct str sql)
{
    for (struct query *query = db->queries; query; query = query->next)
        if (query->text_len == sql.len && memcmp(query->sql, sql.at, sql.len) == 0)
            return query;
    struct query *query = add_query(db, sql.at, sql.len);
    if (!query)
        return NULL;
    char *text = malloc(sql.len);
    if (!text)
        abort();
    query->sql = memcpy(text, sql.at, sql.len);
    query->text_len = sql.len;
    return query;
}

static void note_bind(struct query *query, int code)
{
    if (code == SQLITE_OK || query->bind_code != SQLITE_OK)
        return;
    query->bind_code = code;
    fail_with_sqlite(query->db);
}

void query_bind_text(struct query *query, int parameter, struct str text)
{
    if (!query)
        return;
    const char *at = text.at ? text.at : ""; /* SQLite would take NULL for the SQL value */
    note_bind(query,
        sqlite3_bind_text64(query->statement, parameter, at, text.len, SQLITE_STATIC, SQLITE_UTF8));
}

void query_bind_int(struct query *query, int parameter, int64_t number)
{
    if (query)
        note_bind(query, sqlite3_bind_int64(query->statement, parameter, number));
}

enum db_result query_step(struct query *query)
{
    if (!query || query->bind_code != SQLITE_OK)
        return DB_FAILED;
    int code = sqlite3_step(query->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        fail_with_sqlite(query->db);
    return result_of(query->db, code);
}

enum db_result db_number(struct db *db, const char *sql, int64_t *number)
{
    struct query *query = db_query(db, sql);
    enum db_result result = query_step(query);
    *number = result == DB_ROW ? query_int(query, 0) : 0;
    query_end(query);
    return result;
}

struct str query_text(struct query *query, int column)
{
    const unsigned char *text = sqlite3_column_text(query->statement, column);
    size_t len = (size_t)sqlite3_column_bytes(query->statement, column);
    return text ? (struct str){ (const char *)text, len } : (struct str){ NULL, 0 };
}

int64_t query_int(struct query *query, int column)
{
    return sqlite3_column_int64(query->statement, column);
}

double query_real(struct query *query, int column)
{
    return sqlite3_column_double(query->statement, column);
}

bool query_is_null(struct query *query, int column)
{
    return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

void query_end(struct query *query)
{
    if (!query)
        return;
    sqlite3_reset(query->statement);
    sqlite3_clear_bindings(query->statement);
    query->bind_code = SQLITE_OK;
}

const char *db_message(const struct db *db)
{
    return db->message;
}
