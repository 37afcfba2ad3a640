/* fastcgi_read: what a web server sends for a request: its variables, its body.
 *
 * It is read in as few system calls as it was sent in. The variables are made where they lie. */
#include "fastcgi_part.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* What comes is kept in so much room; usual requests fit. It grows for longer ones, up to a bound
 * far above what web servers let in. */
#define ROOM_MIN ((size_t)16 * 1024)
#define ROOM_MAX ((size_t)2 * 1024 * 1024)

/* Of the room, behind the variables: for the heads of the body's records. */
#define ROOM_BEHIND ((size_t)1024)

#define VARIABLES_MIN 64

/* Returns how many bytes came, at least one; 0 where no more will. */
static size_t receive(struct fastcgi *fastcgi, struct iovec *parts, size_t count)
{
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
    for (;;) {
        ssize_t got = recvmsg(fastcgi->fd, &message, fastcgi_flags(fastcgi));
        if (got > 0)
            return (size_t)got;
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 || errno != EAGAIN || !fastcgi_wait(fastcgi->fd, POLLIN, fastcgi->wait_ms))
            break;
    }
    fastcgi->is_read = true;
    return 0;
}

/* Room for `count` more bytes behind what is there. What the variables are made of may move. */
static bool make_room(struct fastcgi *fastcgi, size_t count)
{
    size_t size = fastcgi->size ? fastcgi->size : ROOM_MIN;
    while (size - fastcgi->end < count)
        size *= 2;
    if (size == fastcgi->size)
        return true;
    char *room = size <= ROOM_MAX ? realloc(fastcgi->room, size) : NULL;
    if (!room)
        return false;
    fastcgi->room = room;
    fastcgi->size = size;
    return true;
}

static void move_down(struct fastcgi *fastcgi)
{
    size_t len = fastcgi->end - fastcgi->at;
    if (len > 0)
        memmove(fastcgi->room + fastcgi->base, fastcgi->room + fastcgi->at, len);
    fastcgi->at = fastcgi->base;
    fastcgi->end = fastcgi->base + len;
}

/* Receives until there are `count` bytes to look at; false where they will not come. */
static bool need(struct fastcgi *fastcgi, size_t count)
{
    if (fastcgi->at == fastcgi->end)
        fastcgi->at = fastcgi->end = fastcgi->base;
    while (fastcgi->end - fastcgi->at < count) {
        size_t missing = count - (fastcgi->end - fastcgi->at);
        if (fastcgi->size - fastcgi->end < missing)
            move_down(fastcgi);
        if (!make_room(fastcgi, missing))
            return false;
        struct iovec part = { fastcgi->room + fastcgi->end, fastcgi->size - fastcgi->end };
        size_t got = receive(fastcgi, &part, 1);
        if (got == 0)
            return false;
        fastcgi->end += got;
    }
    return true;
}

static const char *take(struct fastcgi *fastcgi, size_t count)
{
    const char *bytes = fastcgi->room + fastcgi->at;
    fastcgi->at += count;
    return bytes;
}

/* Passes over what is there of the next `most` bytes; returns how many that were. */
static size_t drop(struct fastcgi *fastcgi, size_t most)
{
    size_t there = fastcgi->end - fastcgi->at;
    there = there < most ? there : most;
    fastcgi->at += there;
    return there;
}

/* Skips what is left of the record that was read last. */
static bool skip_rest(struct fastcgi *fastcgi)
{
    size_t left = fastcgi->content_left + fastcgi->padding_left;
    fastcgi->content_left = fastcgi->padding_left = 0;
    while (left > 0) {
        if (!need(fastcgi, 1))
            return false;
        left -= drop(fastcgi, left);
    }
    return true;
}

static bool next_record(struct fastcgi *fastcgi, struct record *record)
{
    if (!skip_rest(fastcgi) || !need(fastcgi, RECORD_HEAD_SIZE) ||
        !record_read(record, take(fastcgi, RECORD_HEAD_SIZE)))
        return false;
    fastcgi->content_left = record->content;
    fastcgi->padding_left = record->padding;
    return true;
}

/* A record of no request: the only question is for what we can do, and we need not know an answer
 * to any of it (4.1, 4.2). */
static bool answer_management(struct fastcgi *fastcgi, const struct record *record)
{
    char bytes[RECORD_HEAD_SIZE + RECORD_BODY_SIZE] = { 0 }, *end;
    if (record->type == RECORD_VALUES) {
        end = record_put_head(bytes, RECORD_VALUES_RESULT, 0, 0);
    } else {
        end = record_put_head(bytes, RECORD_UNKNOWN, 0, RECORD_BODY_SIZE);
        *end = (char)record->type;
        end += RECORD_BODY_SIZE;
    }
    return fastcgi_send(fastcgi, bytes, end);
}

static bool refuse_request(struct fastcgi *fastcgi, unsigned id, enum record_status status)
{
    char bytes[RECORD_HEAD_SIZE + RECORD_BODY_SIZE];
    return fastcgi_send(fastcgi, bytes, record_put_end(bytes, id, status));
}

/* The next record of our request, its only one. */
static bool next_of_ours(struct fastcgi *fastcgi, struct record *record)
{
    while (next_record(fastcgi, record)) {
        bool is_ours = record->id == fastcgi->id && record->id != 0;
        if (is_ours && record->type != RECORD_BEGIN)
            return record->type != RECORD_ABORT;
        if (record->id == 0 && !answer_management(fastcgi, record))
            return false;
        if (record->type == RECORD_BEGIN && !is_ours &&
            !refuse_request(fastcgi, record->id, RECORD_NO_SECOND))
            return false;
    }
    return false;
}

static bool read_begin(struct fastcgi *fastcgi)
{
    struct record record;
    do {
        if (!next_record(fastcgi, &record) ||
            (record.id == 0 && !answer_management(fastcgi, &record)))
            return false;
    } while (record.type != RECORD_BEGIN || record.id == 0);
    if (record.content != RECORD_BODY_SIZE || !need(fastcgi, RECORD_BODY_SIZE))
        return false;
    fastcgi->id = record.id;
    fastcgi->content_left = 0;
    if (record_is_responder(take(fastcgi, RECORD_BODY_SIZE)))
        return true;
    refuse_request(fastcgi, record.id, RECORD_NO_ROLE);
    return false;
}

/* All of them, one behind the other from `*first` on. */
static bool read_params(struct fastcgi *fastcgi, size_t *first, size_t *len)
{
    struct record record;
    *len = 0;
    for (;;) {
        if (!next_of_ours(fastcgi, &record))
            return false;
        if (record.type != RECORD_PARAMS)
            continue;
        if (record.content == 0)
            return true;
        if (!need(fastcgi, record.content))
            return false;
        if (*len == 0)
            *first = fastcgi->base = fastcgi->at;
        memmove(fastcgi->room + *first + *len, take(fastcgi, record.content), record.content);
        *len += record.content;
        fastcgi->base = *first + *len;
        fastcgi->content_left = 0;
    }
}

static bool add_variable(void *context, char *variable)
{
    struct fastcgi *fastcgi = context;
    if (fastcgi->variable_count + 1 >= fastcgi->variable_size) {
        size_t size = 2 * fastcgi->variable_size;
        char **variables = realloc(fastcgi->variables, size * sizeof *variables);
        if (!variables)
            return false;
        fastcgi->variables = variables;
        fastcgi->variable_size = size;
    }
    fastcgi->variables[fastcgi->variable_count++] = variable;
    fastcgi->variables[fastcgi->variable_count] = NULL;
    return true;
}

static bool read_variables(struct fastcgi *fastcgi)
{
    size_t first = 0, len;
    if (!read_params(fastcgi, &first, &len) || !make_room(fastcgi, ROOM_BEHIND))
        return false;
    fastcgi->base++; /* for the end of the last one: the head of the empty record was there */
    fastcgi->variable_count = 0;
    fastcgi->variables[0] = NULL;
    return record_variables(fastcgi->room + first, len, add_variable, fastcgi);
}

bool fastcgi_read_init(struct fastcgi *fastcgi)
{
    fastcgi->variable_size = VARIABLES_MIN;
    fastcgi->variables = malloc(VARIABLES_MIN * sizeof *fastcgi->variables);
    return fastcgi->variables != NULL;
}

void fastcgi_read_free(struct fastcgi *fastcgi)
{
    free(fastcgi->room);
    free(fastcgi->variables);
}

void fastcgi_read_reset(struct fastcgi *fastcgi)
{
    if (fastcgi->size > ROOM_MIN) {
        free(fastcgi->room);
        fastcgi->room = NULL;
        fastcgi->size = 0;
    }
    fastcgi->id = 0;
    fastcgi->base = fastcgi->at = fastcgi->end = 0;
    fastcgi->content_left = fastcgi->padding_left = 0;
    fastcgi->is_read = fastcgi->is_torn = false;
}

bool fastcgi_read_request(struct fastcgi *fastcgi)
{
    return read_begin(fastcgi) && read_variables(fastcgi);
}

/* --- the body --- */

/* What comes behind the content's end is received with it. */
static size_t receive_content(struct fastcgi *fastcgi, void *bytes, size_t size)
{
    fastcgi->at = fastcgi->end = fastcgi->base;
    struct iovec parts[] = { { bytes, size },
        { fastcgi->room + fastcgi->base, fastcgi->size - fastcgi->base } };
    size_t got = receive(fastcgi, parts, size == fastcgi->content_left ? 2 : 1);
    if (got <= size)
        return got;
    fastcgi->end += got - size;
    return size;
}

static size_t read_content(struct fastcgi *fastcgi, void *bytes, size_t size)
{
    size_t there = fastcgi->end - fastcgi->at;
    size = size < fastcgi->content_left ? size : fastcgi->content_left;
    if (there == 0) {
        size = receive_content(fastcgi, bytes, size);
    } else {
        size = size < there ? size : there;
        memcpy(bytes, take(fastcgi, size), size);
    }
    fastcgi->content_left -= size;
    if (fastcgi->content_left == 0) /* whoever asks whether more is there must not see padding */
        fastcgi->padding_left -= drop(fastcgi, fastcgi->padding_left);
    return size;
}

/* Goes to the next piece of the body; false where there is none. */
static bool next_piece(struct fastcgi *fastcgi)
{
    struct record record;
    do {
        if (fastcgi->is_read || fastcgi->is_torn)
            return false;
        fastcgi->is_torn = !next_of_ours(fastcgi, &record);
    } while (fastcgi->is_torn || record.type != RECORD_STDIN);
    fastcgi->is_read = record.content == 0;
    return !fastcgi->is_read;
}

ssize_t fastcgi_read_body(struct connection *connection, void *bytes, size_t size)
{
    struct fastcgi *fastcgi = (struct fastcgi *)connection;
    if (fastcgi->is_torn || (fastcgi->content_left == 0 && !next_piece(fastcgi)))
        return 0;
    return (ssize_t)read_content(fastcgi, bytes, size);
}

int fastcgi_body_fd(struct connection *connection)
{
    const struct fastcgi *fastcgi = (struct fastcgi *)connection;
    struct pollfd input = { .fd = fastcgi->fd, .events = POLLIN };

    size_t there = fastcgi->end - fastcgi->at,
           wanted = fastcgi->content_left > 0 ? 1 : fastcgi->padding_left + RECORD_HEAD_SIZE;
    if (there >= wanted || fastcgi->is_read || fastcgi->is_torn)
        return -1;
    return poll(&input, 1, 0) == 0 ? input.fd : -1;
}

bool fastcgi_read_rest(struct fastcgi *fastcgi)
{
    while (next_piece(fastcgi))
        ;
    return fastcgi->is_read;
}
