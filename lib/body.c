/* body: a request's JSON body, read whole, with the reply that a bad one deserves.
 *
 * What is wrong is told by line and column, as a person who wrote the body by hand needs it.
 */
#include "body.h"
#include "buf.h"

#define READ_SIZE 16384 /* at a time where the length is not known */

/* "application/json; charset=utf-8" is application/json. */
static bool is_media_type(const char *field, const char *media_type)
{
    size_t len = strlen(media_type);
    return field && strncasecmp(field, media_type, len) == 0 && strcspn(field + len, "; \t") == 0;
}

static bool read_whole(struct request *request, struct buf *body)
{
    size_t want = request->body_length > 0 ? (size_t)request->body_length : READ_SIZE;
    ssize_t got;
    do {
        got = request_read(request, buf_room(body, want), want);
        if (got > 0)
            body->len += (size_t)got;
    } while (got > 0);
    return got == 0;
}

static int reply_not_json(struct reply *reply, struct str text, const struct json_error *error)
{
    struct buf message;
    unsigned line, column;
    json_position(text, error->at, &line, &column);
    buf_init(&message, reply->request->arena);
    buf_printf(&message, "line %u, column %u: %s", line, column, error->what);
    return reply_error(reply, 400, "Invalid JSON", buf_as_text(&message));
}

int body_read_json(
    struct request *request, struct reply *reply, const char *media_type, struct json *json)
{
    struct buf body;
    struct json_error error;
    if (!is_media_type(request_header(request, "Content-Type"), media_type)) {
        struct buf message;
        buf_init(&message, request->arena);
        buf_printf(&message, "Content-Type must be %s", media_type);
        return reply_error(reply, 415, "Unsupported media type", buf_as_text(&message));
    }
    buf_init(&body, request->arena);
    if (!read_whole(request, &body))
        return reply_error(reply, 400, "Bad request", "The body was cut off");
    struct str text = buf_as_str(&body);
    if (!json_read(json, text, request->arena, &error))
        return reply_not_json(reply, text, &error);
    return 0;
}
