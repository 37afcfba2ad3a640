/* rest: the endpoints of a table: list, get, create, replace, patch, delete.
 *
 * What is read is replied here. What changes something is prepared here, as far as that can be done
 * without the file, and carried out by change.c. */
#include "rest.h"
#include "body.h"
#include "change.h"
#include "condition.h"
#include "filter.h"
#include "page.h"
#include "row.h"
#include "validate.h"

/* Appends the rows of a page as a JSON array. *next is the id behind which there are more, or 0. */
static enum db_result write_page(struct buf *rows, struct service_call *call,
    const struct filters *filters, const struct page *page, int64_t *next)
{
    const struct table *table = &call->resource->table;
    struct buf sql;
    buf_init(&sql, call->request->arena);
    row_write_select(&sql, call->resource);
    filter_write(&sql, filters, "id > ?");
    buf_text(&sql, " ORDER BY id LIMIT ?");
    struct query *query = db_query_text(call->db, buf_as_str(&sql));
    int parameter = filter_bind(filters, query);
    query_bind_int(query, parameter, page->after);
    query_bind_int(query, parameter + 1, page->limit + 1); /* is there one more? */

    enum db_result result;
    int64_t count = 0, last = 0;
    *next = 0;
    buf_char(rows, '[');
    while ((result = query_step(query)) == DB_ROW) {
        if (count++ == page->limit) {
            *next = last;
            continue;
        }
        if (count > 1)
            buf_char(rows, ',');
        last = query_int(query, 0);
        table_write_row(rows, table, query);
    }
    buf_char(rows, ']');
    query_end(query);
    return result;
}

/* Ends a body that was begun with a page and the number of all rows; both of one moment. */
static int reply_list(struct service_call *call, struct buf *body, const struct filters *filters,
    const struct page *page)
{
    struct request *request = call->request;
    struct buf rows;
    int64_t total = 0, next = 0;
    buf_init(&rows, request->arena);
    enum db_result result = db_begin_read(call->db);
    if (result == DB_DONE)
        result = filter_count(filters, call->resource, call->db, request->arena, &total);
    if (result == DB_ROW)
        result = write_page(&rows, call, filters, page, &next);
    db_end_read(call->db);
    if (result != DB_DONE)
        return service_reply_failed(call, result);
    if (next > 0) {
        struct buf link;
        buf_init(&link, request->arena);
        page_link(&link, request->path, request->query, next);
        reply_field(call->reply, "Link", buf_as_str(&link));
    }
    service_add_int(body, "total", total);
    service_add_name(body, call->resource->name);
    buf_str(body, buf_as_str(&rows));
    return service_reply(call, body);
}

static int reply_bad_query(struct service_call *call, const char *message)
{
    return reply_error(call->reply, 400, "Invalid query parameter", message);
}

/* The filters and the page that the query string asks for. NULL, or what is wrong. */
static const char *read_query(struct service_call *call, struct filters *filters, struct page *page)
{
    struct request *request = call->request;
    const char *complaint =
        filter_read(filters, &call->resource->table, request->query, request->arena);
    return complaint ? complaint : page_read(request->query, request->arena, page);
}

int rest_list(struct service_call *call)
{
    struct filters filters = { .count = 0 };
    struct page page;
    const char *complaint = read_query(call, &filters, &page);
    if (complaint)
        return reply_bad_query(call, complaint);
    struct buf body = service_body(call);
    return reply_list(call, &body, &filters, &page);
}

int rest_list_by(struct service_call *call, const char *parameter, bool is_as_given)
{
    struct filters filters = { .count = 0 };
    struct page page;
    struct str given = route_parameter(&call->match, parameter);
    const struct column *column = filter_column(&call->resource->table, parameter);
    struct filter *filter = &filters.used[0];
    if (filter_add(&filters, column, given, call->request->arena))
        return reply_error(call->reply, 404, "Not found", NULL);
    const char *complaint = read_query(call, &filters, &page);
    if (complaint)
        return reply_bad_query(call, complaint);
    struct buf body = service_body(call);
    if (table_is_text(column))
        service_add_text(&body, parameter, is_as_given ? given : filter->value.text);
    else
        service_add_int(&body, parameter, filter->value.number);
    return reply_list(call, &body, &filters, &page);
}

/* Replies with the row that the query stands at. */
static int reply_row(struct service_call *call, struct query *query)
{
    struct request *request = call->request;
    int64_t id;
    struct str etag = row_etag(call->resource, query, request->arena, &id);
    reply_field(call->reply, "ETag", etag);
    switch (condition_check(request_header(request, "If-Match"),
        request_header(request, "If-None-Match"), etag, true)) {
    case CONDITION_NOT_MODIFIED:
        return 304;
    case CONDITION_FAILED:
        return reply_error(
            call->reply, 412, "Precondition failed", "The ETag field has its version now");
    case CONDITION_HOLDS:
        break;
    }
    struct buf body = service_body(call);
    service_add_name(&body, call->resource->one);
    table_write_row(&body, &call->resource->table, query);
    return service_reply(call, &body);
}

int rest_get(struct service_call *call)
{
    int64_t id;
    if (!service_id(call, "id", &id))
        return change_reply_not_found(call);
    struct query *query = row_find(call->db, call->resource, id, call->request->arena);
    enum db_result result = query_step(query);
    int status = result == DB_ROW ? reply_row(call, query) : 0;
    query_end(query);
    if (result == DB_DONE)
        return change_reply_not_found(call);
    return result == DB_ROW ? status : service_reply_failed(call, result);
}

/* A merge patch is often sent as what it is made of (RFC 7396 section 4 names its own type). */
static const char *media_type(const struct service_call *call, enum validate_kind kind)
{
    static const char patch[] = "application/merge-patch+json";
    const char *given = request_header(call->request, "Content-Type");
    bool is_patch =
        kind == VALIDATE_PATCH && given && strncasecmp(given, patch, sizeof patch - 1) == 0;
    return is_patch ? patch : "application/json";
}

static int read_body(struct change *change, enum validate_kind kind, struct json *json)
{
    struct service_call *call = change->call;
    int status = body_read_json(call->request, call->reply, media_type(call, kind), json);
    if (status == 415 && kind == VALIDATE_PATCH) /* RFC 5789 section 2.2 */
        reply_field(
            call->reply, "Accept-Patch", STR("application/merge-patch+json, application/json"));
    if (status != 0 || json->nodes[0].type == JSON_OBJECT)
        return status;
    struct buf message;
    buf_init(&message, call->request->arena);
    buf_printf(
        &message, "The body must be an object; it is: %s", json_type_name(json->nodes[0].type));
    return reply_error(call->reply, 422, "Validation failed", buf_as_text(&message));
}

static int validate(struct change *change, enum validate_kind kind, const struct json *json)
{
    struct service_call *call = change->call;
    struct buf fields;
    buf_init(&fields, call->request->arena);
    const struct validation validation = {
        .table = &change->resource->table,
        .json = json,
        .arena = call->request->arena,
        .kind = kind,
        .id = change->id,
        .now = change->now,
    };
    return validate_body(&validation, &change->said, &fields) ? 0
                                                              : change_reply_invalid(call, &fields);
}

/* The place of a member that follows from another one, in the body: who composes the request fills
 * it in, and it may be another the next time. There is one such column at most. */
static struct str find_derived(const struct resource *resource, const struct json *json)
{
    for (int i = 0; i < resource->table.column_count; i++) {
        if (!resource->table.columns[i].is_derived)
            continue;
        uint32_t node = json_member(json, 0, str_of(resource->table.columns[i].name));
        if (node != JSON_NONE)
            return json_raw(json, node);
    }
    return (struct str){ json->text.at, 0 };
}

/* Returns 0, or the status of a filled reply. */
static int read_key(struct change *change, const struct json *json)
{
    struct service_call *call = change->call;
    const char *key = request_header(call->request, "Idempotency-Key");
    struct buf request;
    if (!key)
        return 0;
    if (!idempotency_key_is_valid(str_of(key)))
        return reply_error(call->reply, 400, "Invalid Idempotency-Key",
            "It must be 1 to " STR_NUMBER(IDEMPOTENCY_KEY_MAX) " visible ASCII characters");
    struct str derived = find_derived(change->resource, json);
    buf_init(&request, call->request->arena);
    buf_printf(&request, "POST /%s", change->resource->name);
    change->idempotency = (struct idempotency){
        .request = buf_as_str(&request),
        .key = str_of(key),
        .fingerprint = idempotency_fingerprint(
            json->text, (size_t)(derived.at - json->text.at), derived.len, call->request->arena),
    };
    return change_reply_again(change);
}

static struct change new_change(struct service_call *call)
{
    return (struct change){ .call = call, .resource = call->resource, .now = time(NULL) };
}

int rest_create(struct service_call *call)
{
    struct change change = new_change(call);
    struct json json;
    int status = read_body(&change, VALIDATE_NEW, &json);
    if (status == 0)
        status = read_key(&change, &json);
    if (status == 0)
        status = validate(&change, VALIDATE_NEW, &json);
    return status == 0 ? change_insert(&change) : status;
}

static int change_row(struct service_call *call, enum validate_kind kind)
{
    struct change change = new_change(call);
    struct json json;
    if (!service_id(call, "id", &change.id))
        return change_reply_not_found(call);
    int status = read_body(&change, kind, &json);
    if (status == 0)
        status = validate(&change, kind, &json);
    return status == 0 ? change_update(&change) : status;
}

int rest_replace(struct service_call *call)
{
    return change_row(call, VALIDATE_WHOLE);
}

int rest_patch(struct service_call *call)
{
    return change_row(call, VALIDATE_PATCH);
}

int rest_delete(struct service_call *call)
{
    struct change change = new_change(call);
    if (!service_id(call, "id", &change.id))
        return change_reply_not_found(call);
    return change_delete(&change);
}
