/* reply: whatever a service sends, its fields are lines, and its body is the same whole and in
 * pieces. The first two bytes say how it begins, which chance would not find, and how long the
 * pieces are. */
#include <stdlib.h>
#include "fcgi-gateway/framing.h"
#include "fcgi-gateway/head.h"
#include "lib/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const beginnings[] = {
    "",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0;a=b\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: ",
};

enum { BEGINNINGS = sizeof beginnings / sizeof *beginnings };

static void check(bool is_so)
{
    if (!is_so)
        abort();
}

static bool is_line(struct str text)
{
    return !str_has(text, '\0') && !str_has(text, '\r') && !str_has(text, '\n');
}

static struct str take_line(struct str *rest)
{
    struct str line = str_take(rest, '\n');
    line.len += line.at + line.len < rest->at ? 1 : 0; /* its line end belongs to it */
    return line;
}

/* The whole head, of a reply that has a body or not; false where there is none. */
static bool read_head(struct call *call, struct str *rest)
{
    int minor;
    enum head_result result = HEAD_MORE;
    if (!head_status(take_line(rest), &call->status, &minor))
        return false;
    check(call->status >= 100 && call->status <= 999 && minor >= 0 && minor <= 9);
    while (rest->len > 0 && result == HEAD_MORE)
        result = head_line(call, take_line(rest));
    for (const struct call_field *field = call->first_field; field; field = field->next)
        check(field->name.len > 0 && is_line(field->name) && is_line(field->value));
    head_is_connection_option(call, STR("close"));
    return result == HEAD_END;
}

struct body {
    struct framing framing;
    enum framing_step step;
    struct buf content;
    size_t used;
};

static void feed(struct body *body, struct str bytes)
{
    const char *start = bytes.at, *end = bytes.at + bytes.len;
    struct str piece;
    while ((body->step = framing_take(&body->framing, &bytes, &piece)) == FRAMING_PIECE) {
        check(piece.len > 0 && piece.at >= start && piece.at + piece.len <= end);
        buf_str(&body->content, piece);
    }
    check(body->step != FRAMING_MORE || bytes.len == 0);
    body->used += (size_t)(bytes.at - start);
}

static struct body read_body(const struct call *call, struct str bytes, size_t size)
{
    struct body body = { .step = FRAMING_MORE };
    buf_init(&body.content, call->arena);
    check(framing_begin(&body.framing, call));
    do {
        size_t len = size < bytes.len ? size : bytes.len;
        feed(&body, (struct str){ bytes.at, len });
        bytes.at += len;
        bytes.len -= len;
    } while (bytes.len > 0 && body.step == FRAMING_MORE);
    return body;
}

/* A LF stands for a whole line end, which is found more often then, and a VT for a lone LF. */
static void add_bytes(struct buf *reply, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            buf_char(reply, '\r');
        buf_char(reply, bytes[i] == '\v' ? '\n' : bytes[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct framing framing;
    struct buf reply;
    if (size < 3)
        return 0;
    arena_init(&arena);
    buf_init(&reply, &arena);
    buf_text(&reply, beginnings[data[0] % BEGINNINGS]);
    add_bytes(&reply, (const char *)data + 2, size - 2);
    struct str rest = buf_as_str(&reply);
    struct call call = { .method = data[1] % 16 ? "GET" : "HEAD", .arena = &arena };
    if (read_head(&call, &rest) && framing_begin(&framing, &call)) {
        struct body whole = read_body(&call, rest, rest.len);
        struct body pieces = read_body(&call, rest, 1 + data[1] % 16);
        check(whole.step == pieces.step && whole.used == pieces.used);
        check(str_eq(buf_as_str(&whole.content), buf_as_str(&pieces.content)));
        check(whole.framing.kind != FRAMING_LENGTH || whole.step != FRAMING_END ||
              whole.content.len == framing.left);
    }
    arena_clear(&arena);
    return 0;
}
