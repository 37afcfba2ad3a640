/* service: what every small service over a SQLite file shares: start, connections, routes, replies.
 *
 * Written once so that a service's own files hold nothing but what is its own. Knows no table and
 * no endpoint.
 *
 * The file may be deleted, replaced, locked or broken while the program runs. Every request asks
 * its thread's connection whether it is still the file's, and a connection that failed is not used
 * twice; so a service answers 503 as long as something is wrong and goes on by itself afterwards.
 */
#include "service.h"
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "db_file.h"
#include "gate.h"
#include "log.h"
#include "serve.h"

/* Requests at the same time. They are short and need a processor or the disk, so more would only
 * wait for each other; what is above waits in the listening socket. */
#define SERVICE_THREADS_MAX 64

/* Longest body of a request, in bytes: far above any record of a service. */
#define SERVICE_BODY_MAX ((int64_t)1024 * 1024)

/* Longest message about the database, with the file's name in it. */
#define SERVICE_ERROR_MAX 4608

/* What a service is while it runs; read by all threads, changed by none. */
struct running {
    const struct service *service;
    const struct router *router;
    const char *path;  /* of the database file */
    bool is_loose;     /* commits need not survive a power cut, see db_loosen */
    struct gate *gate; /* of all who write to it */
};

/* What one thread keeps from request to request. */
struct worker {
    struct db *db; /* NULL: to be opened */
};

static void *worker_start(void *context)
{
    (void)context; /* the first request opens the connection: it can say what is wrong */
    return calloc(1, sizeof(struct worker));
}

static void worker_stop(void *thread)
{
    struct worker *worker = thread;
    db_close(worker->db);
    free(worker);
}

/* Sees to it that the worker's connection is one to the file that now has the name. */
static bool connect_worker(
    struct worker *worker, const struct running *running, struct request *request)
{
    if (worker->db && !db_is_gone(worker->db))
        return true;
    char error[SERVICE_ERROR_MAX];
    struct db *db = db_open(running->path, error, sizeof error);
    if (!db) { /* an old connection is kept: its file may come back */
        log_problem(request, "%s", error);
        return false;
    }
    if (running->is_loose)
        db_loosen(db);
    db_close(worker->db);
    worker->db = db;
    return true;
}

static int reply_unavailable(struct reply *reply, int status, const char *message)
{
    return reply_error(reply, status, "Database unavailable", message);
}

int service_reply_failed(struct service_call *call, enum db_result result)
{
    log_problem(call->request, "%s", db_message(call->db));
    /* With a full disk a new connection might find no space for what it needs. */
    call->is_db_suspect = result != DB_BUSY && result != DB_CONSTRAINT && result != DB_FULL;
    call->is_db_readonly = result == DB_READONLY;
    switch (result) {
    case DB_BUSY:
        reply_field(call->reply, "Retry-After", STR("1"));
        return reply_unavailable(call->reply, 503, "Others were writing for too long");
    case DB_FULL:
        return reply_unavailable(call->reply, 507, "There is no space left");
    case DB_CONSTRAINT: /* a rule of the file that the columns do not know */
        return reply_error(call->reply, 422, "Validation failed", "The database refuses it");
    case DB_READONLY:
        reply_field(call->reply, "Retry-After", STR("1"));
        return reply_unavailable(call->reply, 503, "The database is read-only");
    default:
        return reply_unavailable(call->reply, 503, "The database cannot be used");
    }
}

/* Was the file mended after it could only be read? SQLite does not notice as long as any thread has
 * it open; so the program ends in order, and its web server starts it again. */
static void start_again_if_mended(const struct running *running)
{
    if (!db_file_is_writable(running->path))
        return;
    log_event("%s can be written again: starting anew", running->path);
    kill(getpid(), SIGTERM);
}

static int call_endpoint(struct service_call *call, const struct running *running)
{
    struct worker *worker = call->request->thread;
    if (!connect_worker(worker, running, call->request))
        return reply_unavailable(call->reply, 503, "The database cannot be opened");
    const struct endpoint *endpoint = call->match.target;
    call->db = worker->db;
    call->gate = running->gate;
    call->resource = endpoint->resource;
    int status = endpoint->answer(call);
    if (call->is_db_readonly)
        start_again_if_mended(running);
    if (call->is_db_suspect) {
        db_close(worker->db);
        worker->db = NULL;
    }
    return status;
}

static int handle(struct request *request, struct reply *reply)
{
    const struct running *running = request->context;
    struct service_call call = { .service = running->service, .request = request, .reply = reply };
    switch (
        router_find(running->router, request->method, request->path, request->arena, &call.match)) {
    case ROUTE_FOUND:
        return call_endpoint(&call, running);
    case ROUTE_NO_METHOD:
        return reply_method_not_allowed(reply, call.match.allow);
    case ROUTE_BAD_PATH:
        return reply_error(reply, 400, "Bad request", "The path is not a valid one");
    case ROUTE_NO_PATH:
        break;
    }
    return reply_error(reply, 404, "Not found", NULL);
}

bool service_id(const struct service_call *call, const char *name, int64_t *id)
{
    struct str digits = route_parameter(&call->match, name);
    *id = 0;
    for (size_t i = 0; i < digits.len; i++)
        if (__builtin_mul_overflow(*id, 10, id) ||
            __builtin_add_overflow(*id, digits.at[i] - '0', id))
            return false;
    return true;
}

struct buf service_body(const struct service_call *call)
{
    struct buf body;
    buf_init(&body, call->request->arena);
    buf_text(&body, "{\"service\":");
    buf_json_string(&body, str_of(call->service->name));
    return body;
}

void service_add_name(struct buf *body, const char *name)
{
    buf_char(body, ',');
    buf_json_string(body, str_of(name));
    buf_char(body, ':');
}

void service_add_text(struct buf *body, const char *name, struct str value)
{
    service_add_name(body, name);
    buf_json_string(body, value);
}

void service_add_int(struct buf *body, const char *name, int64_t value)
{
    service_add_name(body, name);
    buf_int(body, value);
}

int service_reply(struct service_call *call, struct buf *body)
{
    buf_char(body, '}');
    return reply_json(call->reply, 200, buf_as_str(body));
}

int service_reply_row(struct service_call *call, struct buf *body, const char *name,
    const struct table *table, struct query *query, const char *not_found)
{
    enum db_result result = query_step(query);
    if (result == DB_ROW) {
        service_add_name(body, name);
        table_write_row(body, table, query);
    }
    query_end(query);
    if (result == DB_ROW)
        return service_reply(call, body);
    if (result == DB_DONE)
        return reply_error(call->reply, 404, not_found, NULL);
    return service_reply_failed(call, result);
}

int service_reply_rows(struct service_call *call, struct buf *body, const char *name,
    const struct table *table, struct query *query)
{
    struct buf rows; /* apart, as their number stands before them */
    int64_t total;
    buf_init(&rows, call->request->arena);
    enum db_result result = table_write_rows(&rows, table, query, &total);
    if (result != DB_DONE)
        return service_reply_failed(call, result);
    service_add_int(body, "total", total);
    service_add_name(body, name);
    buf_str(body, buf_as_str(&rows));
    return service_reply(call, body);
}

int service_reply_health(struct service_call *call, const char *count_name, const char *count_sql)
{
    int64_t count;
    enum db_result result = db_number(call->db, count_sql, &count);
    if (result != DB_ROW)
        return service_reply_failed(call, result);
    struct buf body;
    buf_init(&body, call->request->arena);
    buf_text(&body, "{\"status\":\"healthy\"");
    service_add_text(&body, "service", str_of(call->service->name));
    service_add_int(&body, "port", call->service->port);
    service_add_int(&body, count_name, count);
    return service_reply(call, &body);
}

/* Set and not empty, as ${NAME:-...} understands it. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static const char *database_path(const struct service *service, struct arena *arena)
{
    const char *path = environment("DATABASE_PATH");
    if (path)
        return path;
    const char *folder = environment("RUN_DIR");
    struct buf joined;
    buf_init(&joined, arena);
    buf_printf(&joined, "%s/%s", folder ? folder : "run", service->database);
    return buf_as_text(&joined);
}

static bool prepare_database(const struct service *service, const char *path, struct arena *arena)
{
    const char *folder = dirname(arena_copy(arena, path, strlen(path)));
    if (access(path, F_OK) != 0 && access(folder, W_OK | X_OK) != 0) { /* SQLite blurs this */
        log_event("%s: cannot be created in folder %s (%s): mend that, or set DATABASE_PATH", path,
            folder, strerror(errno));
        return false;
    }
    char error[SERVICE_ERROR_MAX];
    if (db_prepare(path, &service->schema, error, sizeof error))
        return true;
    log_event("%s", error);
    return false;
}

static const struct router *new_router(const struct service *service, struct arena *arena)
{
    struct router *router = router_new(arena);
    for (int i = 0; i < service->endpoint_count; i++) {
        const struct endpoint *endpoint = &service->endpoints[i];
        const char *error = "it matches the same requests as another";
        void *other;
        if (router_add(router, str_of(endpoint->line), (void *)endpoint, &error, &other) ==
            ROUTE_ADDED)
            continue;
        log_event("endpoint %s: %s", endpoint->line, error);
        return NULL;
    }
    return router;
}

/* DATABASE_SYNCHRONOUS: full (also where it is not set) or normal, as SQLite names them. */
static bool read_synchronous(bool *is_loose)
{
    const char *given = environment("DATABASE_SYNCHRONOUS");
    *is_loose = given && strcasecmp(given, "normal") == 0;
    if (!given || *is_loose || strcasecmp(given, "full") == 0)
        return true;
    log_event("DATABASE_SYNCHRONOUS is %s: it must be full or normal", given);
    return false;
}

static int serve_service(const struct service *service, struct arena *arena)
{
    struct running running = {
        .service = service,
        .router = new_router(service, arena),
        .path = database_path(service, arena),
        .gate = gate_new(),
    };
    if (!running.gate || !running.router || !read_synchronous(&running.is_loose) ||
        !prepare_database(service, running.path, arena)) {
        gate_free(running.gate);
        return 1;
    }
    int status = serve(&(struct responder){
        .name = service->program,
        .handle = handle,
        .thread_start = worker_start,
        .thread_stop = worker_stop,
        .context = &running,
        .threads_max = SERVICE_THREADS_MAX,
        .body_max = SERVICE_BODY_MAX,
    });
    gate_free(running.gate);
    return status;
}

/* Returns the exit status, or -1 to go on. */
static int read_options(int argc, char **argv, const struct service *service)
{
    if (argc < 2 || !serve_has_own_arguments())
        return -1;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("%s: the %s as a FastCGI responder or a CGI program, to be started by a web server\n"
               "  DATABASE_PATH   its SQLite file; without it, %s in RUN_DIR\n"
               "  RUN_DIR         without it, run\n"
               "  DATABASE_SYNCHRONOUS   full (the default): what was acknowledged survives a\n"
               "                  power cut; normal: it survives the program's end only\n",
            service->program, service->name, service->database);
        return 0;
    }
    fprintf(stderr, "%s: unknown argument %s, see --help\n", service->program, argv[1]);
    return 1;
}

int service_run(int argc, char **argv, const struct service *service)
{
    log_init(service->program);
    int status = read_options(argc, argv, service);
    if (status >= 0)
        return status;
    umask(S_IRWXG | S_IRWXO); /* the data is the service's alone */
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is like a disk that is full: 507 */
    struct arena arena;       /* what lives as long as the program */
    arena_init(&arena);
    status = serve_service(service, &arena);
    arena_clear(&arena);
    return status;
}
