/* change: one change to a resource's table, in a transaction of its own.
 *
 * Whoever writes keeps all others waiting, so everything that can be known before is: the body has
 * been read and held against the columns. What depends on the file is asked and done between
 * db_begin_write and db_commit: the row, the conditions on its version, the service's own rule. The
 * reply is made there too, from what the database gives back, and sent once it is committed. */
#include "change.h"
#include "condition.h"
#include "row.h"
#include "validate.h"

int change_reply_invalid(struct service_call *call, struct buf *fields)
{
    struct buf body;
    buf_init(&body, call->request->arena);
    buf_text(&body, "{\"error\":\"Validation failed\",\"fields\":");
    buf_str(&body, buf_as_str(fields));
    buf_char(&body, '}');
    return reply_json(call->reply, 422, buf_as_str(&body));
}

int change_reply_not_found(struct service_call *call)
{
    struct buf error;
    buf_init(&error, call->request->arena);
    buf_printf(&error, "%s not found", call->resource->title);
    return reply_error(call->reply, 404, buf_as_text(&error), NULL);
}

static int reply_outcome(struct service_call *call, const struct outcome *outcome)
{
    if (outcome->location.len > 0)
        reply_field(call->reply, "Location", outcome->location);
    if (outcome->etag.len > 0)
        reply_field(call->reply, "ETag", outcome->etag);
    if (outcome->body.len == 0)
        return outcome->status;
    return reply_json(call->reply, outcome->status, outcome->body);
}

/* `apply` works between begin and commit: it returns 0 where its outcome shall be, or the status of
 * the reply that it has filled where nothing shall be changed. */
static int run(struct change *change, int (*apply)(struct change *change))
{
    struct service_call *call = change->call;
    enum db_result result = db_begin_write(call->db, call->gate);
    if (result != DB_DONE)
        return service_reply_failed(call, result);
    int status = apply(change);
    if (status != 0) {
        db_rollback(call->db);
        return status;
    }
    result = db_commit(call->db);
    return result == DB_DONE ? reply_outcome(call, &change->outcome)
                             : service_reply_failed(call, result);
}

int change_reply_again(struct change *change)
{
    struct service_call *call = change->call;
    struct outcome first;
    enum db_result failure;
    if (change->idempotency.key.len == 0)
        return 0;
    switch (idempotency_find(
        call->db, &change->idempotency, change->now, call->request->arena, &first, &failure)) {
    case IDEMPOTENCY_NEW:
        return 0;
    case IDEMPOTENCY_REPEATED:
        return reply_outcome(call, &first);
    case IDEMPOTENCY_OTHER:
        return reply_error(call->reply, 422, "Idempotency-Key already in use",
            "It came with another body before; a new request needs a new key");
    case IDEMPOTENCY_FAILED:
        break;
    }
    return service_reply_failed(call, failure);
}

/* The row is not as the database wants it: 409 that names all columns whose values are taken. */
static int reply_taken(struct change *change)
{
    struct service_call *call = change->call;
    struct arena *arena = call->request->arena;
    const struct table *table = &change->resource->table;
    const char *error = NULL;
    struct buf fields, body;
    buf_init(&fields, arena);
    for (int i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (!column->taken || !change->said.values[i].is_set ||
            row_is_taken(call->db, change->resource, i, &change->said.values[i], change->id,
                arena) != DB_ROW)
            continue;
        error = error ? error : column->taken;
        validate_add(&fields, str_of(column->name), "is already in use");
    }
    if (!error)
        return service_reply_failed(call, DB_CONSTRAINT);
    validate_end(&fields);
    buf_init(&body, arena);
    buf_text(&body, "{\"error\":");
    buf_json_string(&body, str_of(error));
    buf_text(&body, ",\"fields\":");
    buf_str(&body, buf_as_str(&fields));
    buf_char(&body, '}');
    return reply_json(call->reply, 409, buf_as_str(&body));
}

/* The reply from the current row of `query`: {"service":"users-service","user":{...}} */
static void take_outcome(struct change *change, struct query *query, int status)
{
    struct service_call *call = change->call;
    struct buf body = service_body(call);
    service_add_name(&body, change->resource->one);
    table_write_row(&body, &change->resource->table, query);
    buf_char(&body, '}');
    change->outcome = (struct outcome){
        .status = status,
        .body = buf_as_str(&body),
        .etag = row_etag(change->resource, query, call->request->arena, &change->id),
    };
}

/* Steps an INSERT or UPDATE through its one row. Returns 0, or the status of a filled reply. */
static int write_row(struct change *change, struct query *query, int status)
{
    enum db_result result = query_step(query);
    if (result == DB_ROW) {
        take_outcome(change, query, status);
        result = query_step(query);
    }
    query_end(query);
    if (result == DB_DONE)
        return 0;
    return result == DB_CONSTRAINT ? reply_taken(change)
                                   : service_reply_failed(change->call, result);
}

static int insert(struct change *change)
{
    struct service_call *call = change->call;
    const struct resource *resource = change->resource;
    struct arena *arena = call->request->arena;
    struct buf location;
    int status = change_reply_again(change); /* somebody may have been faster */
    if (status == 0 && resource->rule)
        status = resource->rule(call, NULL, &change->said);
    if (status == 0)
        status = write_row(change, row_insert(call->db, resource, &change->said, arena), 201);
    if (status != 0)
        return status;
    buf_init(&location, arena);
    buf_printf(&location, "/%s/%lld", resource->name, (long long)change->id);
    change->outcome.location = buf_as_str(&location);
    if (change->idempotency.key.len == 0)
        return 0;
    enum db_result result =
        idempotency_keep(call->db, &change->idempotency, change->now, &change->outcome);
    return result == DB_DONE ? 0 : service_reply_failed(call, result);
}

/* The row that is to be changed, if it is there and the request's conditions hold (RFC 9110 section
 * 13.1); the outcome is then that nothing changes. Returns 0, or the status of a filled reply. */
static int find_row(struct change *change, struct record *before)
{
    struct service_call *call = change->call;
    struct request *request = call->request;
    struct query *query = row_find(call->db, change->resource, change->id, request->arena);
    enum db_result result = query_step(query);
    if (result == DB_ROW) {
        table_read_row(&change->resource->table, query, request->arena, before);
        take_outcome(change, query, 200);
    }
    query_end(query);
    if (result == DB_DONE)
        return change_reply_not_found(call);
    if (result != DB_ROW)
        return service_reply_failed(call, result);
    enum condition condition = condition_check(request_header(request, "If-Match"),
        request_header(request, "If-None-Match"), change->outcome.etag, false);
    if (condition == CONDITION_HOLDS)
        return 0;
    reply_field(call->reply, "ETag", change->outcome.etag);
    return reply_error(call->reply, 412, "Precondition failed",
        "It was changed meanwhile: the ETag field has its version now");
}

/* The row as it shall be: *after, of what was said and what stays. Complaints about columns that
 * must stay go to `fields`. False where nothing would change. */
static bool merge(const struct change *change, const struct record *before, struct record *after,
    struct buf *fields)
{
    const struct table *table = &change->resource->table;
    bool is_changed = false;
    for (int i = 0; i < table->column_count; i++) {
        const struct value *said = &change->said.values[i];
        bool is_same = !said->is_set || table_is_same(&table->columns[i], said, &before->values[i]);
        after->values[i] = is_same ? before->values[i] : *said;
        is_changed = is_changed || !is_same;
        if (!is_same && table->columns[i].is_fixed)
            validate_add(fields, str_of(table->columns[i].name), "cannot be changed");
    }
    return is_changed;
}

static int update(struct change *change)
{
    struct service_call *call = change->call;
    struct record before, after;
    struct buf fields;
    buf_init(&fields, call->request->arena);
    int status = find_row(change, &before);
    if (status != 0 || !merge(change, &before, &after, &fields))
        return status;
    if (fields.len > 0) {
        validate_end(&fields);
        return change_reply_invalid(call, &fields);
    }
    if (change->resource->rule)
        status = change->resource->rule(call, &before, &after);
    if (status != 0)
        return status;
    change->said = after;
    return write_row(change,
        row_update(call->db, change->resource, change->id, &after, call->request->arena), 200);
}

static int delete (struct change *change)
{
    struct service_call *call = change->call;
    struct record before;
    int status = find_row(change, &before);
    if (status != 0)
        return status;
    change->outcome = (struct outcome){ .status = 204 };
    enum db_result result =
        row_delete(call->db, change->resource, change->id, call->request->arena);
    return result == DB_DONE ? 0 : service_reply_failed(call, result);
}

int change_insert(struct change *change)
{
    return run(change, insert);
}

int change_update(struct change *change)
{
    return run(change, update);
}

int change_delete(struct change *change)
{
    return run(change, delete);
}
