/* reply: one reply as a handler fills it, and how it is written for the web server.
 *
 * The form is that of CGI (RFC 3875 section 6): header fields, "Status" among them, an empty line,
 * the body. */
#include "reply.h"

#include <stdio.h>
#include "connection.h"
#include "request.h"
#include "route.h"

/* So much fits into the socket to the web server, whatever the client does. */
#define SENT_AT_ONCE (64 * 1024)

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 206, "Partial Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 422, "Unprocessable Content" },
    { 428, "Precondition Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 507, "Insufficient Storage" },
};

const char *reply_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "";
}

void reply_init(struct reply *reply, struct request *request)
{
    *reply = (struct reply){ .request = request };
    buf_init(&reply->fields, request->arena);
    buf_init(&reply->lasting, request->arena);
}

/* RFC 9110 section 5.1: a field name is a token; only what would end it early matters here. */
static bool is_field_name(const char *name)
{
    for (const char *c = name; *c; c++) {
        if (*c <= 0x20 || *c == ':' || *c == 0x7f)
            return false;
    }
    return *name != 0;
}

static void add_field(struct buf *fields, const char *name, struct str value)
{
    if (!is_field_name(name))
        return;

    size_t len = 0;
    while (len < value.len && value.at[len] != '\r' && value.at[len] != '\n' && value.at[len] != 0)
        len++;
    buf_text(fields, name);
    buf_add(fields, ": ", 2);
    buf_add(fields, value.at, len);
    buf_add(fields, "\r\n", 2);
}

void reply_field(struct reply *reply, const char *name, struct str value)
{
    add_field(&reply->fields, name, value);
}

void reply_lasting_field(struct reply *reply, const char *name, struct str value)
{
    add_field(&reply->lasting, name, value);
}

void reply_remove_field(struct reply *reply, const char *name)
{
    struct buf *fields = &reply->fields;
    size_t name_len = strlen(name), kept = 0;

    for (size_t at = 0, end; at < fields->len; at = end) {
        const char *line = fields->data + at;
        end = (size_t)((const char *)memchr(line, '\n', fields->len - at) - fields->data) + 1;
        if (end - at > name_len && line[name_len] == ':' && strncasecmp(line, name, name_len) == 0)
            continue;
        memmove(fields->data + kept, line, end - at);
        kept += end - at;
    }
    fields->len = kept;
}

int reply_json(struct reply *reply, int status, struct str body)
{
    reply_field(reply, "Content-Type", STR("application/json"));
    reply->body = body;
    return status;
}

int reply_error(struct reply *reply, int status, const char *error, const char *message)
{
    if (reply->write_error)
        return reply->write_error(reply, status, error, message);
    struct buf body;
    buf_init(&body, reply->request->arena);
    buf_text(&body, "{\"error\":");
    buf_json_string(&body, str_of(error));
    if (message) {
        buf_text(&body, ",\"message\":");
        buf_json_string(&body, str_of(message));
    }
    buf_char(&body, '}');
    return reply_json(reply, status, buf_as_str(&body));
}

int reply_method_not_allowed(struct reply *reply, unsigned allow)
{
    struct buf methods;
    buf_init(&methods, reply->request->arena);
    route_allow(&methods, allow);
    reply_field(reply, "Allow", buf_as_str(&methods));
    return reply_error(reply, 405, "Method not allowed", NULL);
}

static bool reply_send(struct reply *reply, const char *bytes, size_t len)
{
    struct connection *connection = reply->request->connection;
    return len == 0 || connection->write(connection, bytes, len);
}

/* Everything up to the empty line; `length` is the Content-Length, or -1 for none. */
static bool send_head(struct reply *reply, int status, long long length)
{
    const struct request *request = reply->request;
    struct buf head;

    reply->is_bodiless = request->is_head || status == 204 || status == 304;
    buf_init(&head, request->arena);
    buf_text(&head, "Status: ");
    buf_int(&head, status);
    buf_char(&head, ' ');
    buf_text(&head, reply_reason(status));
    buf_text(&head, "\r\n");
    buf_str(&head, buf_as_str(&reply->lasting));
    buf_str(&head, buf_as_str(&reply->fields));
    buf_text(&head, "X-Request-ID: ");
    buf_add(&head, request->id, strnlen(request->id, REQUEST_ID_MAX));
    /* Nobody will read the rest: what follows it on this connection would be lost. */
    if (request->connection->body_left > 0 && request->body_length >= REQUEST_STREAMED_MIN)
        buf_text(&head, "\r\nConnection: close");
    if (length >= 0) {
        buf_text(&head, "\r\nContent-Length: ");
        buf_int(&head, length);
    }
    buf_text(&head, "\r\n\r\n");
    reply->is_started = true;
    return reply_send(reply, head.data, head.len);
}

bool reply_start(struct reply *reply, int status)
{
    if (reply->tap)
        status = reply->tap->head(reply->tap, reply, status);
    if (reply->is_withheld)
        return true;
    return send_head(reply, status, -1);
}

bool reply_write(struct reply *reply, const char *bytes, size_t len)
{
    if (!reply->is_started && !reply->is_withheld)
        return false; /* it would stand where the header section belongs */
    if (reply->tap)
        reply->tap->body(reply->tap, bytes, len);
    if (reply->is_bodiless || reply->is_withheld)
        return true;
    if (!reply_send(reply, bytes, len))
        return false;
    reply->sent += len;
    return true;
}

bool reply_flush(struct reply *reply)
{
    struct connection *connection = reply->request->connection;
    return connection->flush(connection);
}

bool reply_is_ready(const struct reply *reply, int wait_ms)
{
    struct connection *connection = reply->request->connection;
    return reply->sent < SENT_AT_ONCE || !connection->is_ready ||
           connection->is_ready(connection, wait_ms);
}

void reply_break(struct reply *reply)
{
    reply->is_broken = true;
}

int reply_finish(struct reply *reply, int status)
{
    if (reply->is_started)
        return status;
    if (status < 200 || status > 599) {
        reply->fields.len = 0;
        status = reply_error(reply, 500, reply_reason(500), "The handler gave no valid status");
    }

    /* RFC 9110 section 8.6: none in a 204; a 304's would have to be that of the 200. */
    bool has_length = status != 204 && status != 304;
    if (send_head(reply, status, has_length ? (long long)reply->body.len : -1))
        reply_write(reply, reply->body.at, reply->body.len);
    return status;
}

void reply_crash(struct reply *reply)
{
    struct request *request = reply->request;
    struct str body =
        reply->crash_body.at ? reply->crash_body : STR("{\"error\":\"Internal Server Error\"}");
    const char *id = request_id_is_sane(request->id) ? request->id : "-";
    char head[256];
    int len = snprintf(head, sizeof(head),
        "Status: 500 Internal Server Error\r\nContent-Type: application/json\r\n"
        "X-Request-ID: %s\r\nContent-Length: %zu\r\n\r\n",
        id, body.len);

    reply->is_started = true;
    if (reply_send(reply, head, (size_t)len) && !request->is_head)
        reply_send(reply, body.at, body.len);
}
