/* request: one request as a handler sees it, made from its CGI variables (RFC 3875).
 *
 * Everything here comes from outside. What is not checked here reaches a handler raw. */
#include "request.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include "connection.h"
#include "log.h"
#include "text.h"
#include "variables.h"

#define REQUEST_ID_MADE_LEN 32

/* Most requests are over by then; for the others there is no hurry yet. */
#define QUICK_US (40 * 1000LL)

/* The one state of this file: two random starts, set before there are threads, and a count. */
static struct {
    uint64_t start[2];
    atomic_uint_fast64_t count;
} ids;

const char *request_variable(const struct request *request, const char *name)
{
    return variables_find(request->variables, request->index, name);
}

const char *request_header(const struct request *request, const char *name)
{
    return variables_header(request->variables, request->index, name);
}

int request_body_fd(const struct request *request)
{
    struct connection *connection = request->connection;
    return connection->body_left == 0 ? -1 : connection->body_fd(connection);
}

int request_client_fd(const struct request *request)
{
    struct connection *connection = request->connection;
    return connection->gone_fd(connection);
}

int request_client_wait_ms(const struct request *request)
{
    struct connection *connection = request->connection;
    if (!connection->watch || connection->is_watched)
        return INT_MAX;
    long long left_us = request->arrived_us + QUICK_US - log_clock_us();
    if (left_us > 0)
        return (int)(left_us / 1000 + 1);
    connection->is_watched = true;
    connection->watch(connection);
    return INT_MAX;
}

bool request_client_gone(const struct request *request)
{
    struct connection *connection = request->connection;
    return connection->is_gone(connection);
}

ssize_t request_read(struct request *request, void *bytes, size_t size)
{
    struct connection *connection = request->connection;
    if (connection->body_left == 0 || size == 0)
        return 0;
    if ((uint64_t)size > (uint64_t)connection->body_left)
        size = (size_t)connection->body_left;

    ssize_t got = connection->read(connection, bytes, size);
    if (got <= 0)
        return REQUEST_BODY_CUT;
    connection->body_left -= got;
    return got;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool request_id_is_sane(const char *id)
{
    size_t len = 0;
    for (; id[len]; len++) {
        char c = id[len];
        if (len == REQUEST_ID_MAX || !(is_alnum(c) || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return len > 0;
}

void request_ids_init(void)
{
    ssize_t got;
    do
        got = getrandom(ids.start, sizeof(ids.start), 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(ids.start)) {
        perror("getrandom");
        exit(1);
    }
}

/* splitmix64's last step: a bijection, so that different numbers stay different. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static const char *make_id(struct arena *arena)
{
    static const char hex[] = "0123456789abcdef";
    char *id = arena_alloc(arena, REQUEST_ID_MADE_LEN + 1);
    uint64_t step = atomic_fetch_add_explicit(&ids.count, 1, memory_order_relaxed) *
                    UINT64_C(0x9e3779b97f4a7c15); /* splitmix64's: odd, so it too is a bijection */

    for (int half = 0; half < 2; half++) {
        uint64_t bits = mix(ids.start[half] + step);
        for (int i = 0; i < 16; i++, bits <<= 4)
            id[half * 16 + i] = hex[bits >> 60];
    }
    id[REQUEST_ID_MADE_LEN] = 0;
    return id;
}

/* RFC 9110 section 5.6.2: token. */
static bool is_token(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++) {
        if (!is_alnum(*text) && !strchr("!#$%&'*+-.^_`|~", *text))
            return false;
    }
    return true;
}

/* Text without spaces and control characters. RFC 3986 allows ASCII only, but people type /café,
 * and what is plain UTF-8 cannot be misunderstood. */
static bool is_target(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c <= 0x20 || c == 0x7f)
            return false;
    }
    return text_is_utf8(text);
}

static bool has_whole_escapes(struct str path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] == '%' &&
            (path.len - i < 3 || text_hex(path.at[i + 1]) < 0 || text_hex(path.at[i + 2]) < 0))
            return false;
    }
    return true;
}

/* Splits at the first '?'; everything points into the variables. */
static void set_target(struct request *request, const char *uri)
{
    request->target = str_of(uri);
    size_t path_len = strcspn(uri, "?");
    request->has_query = uri[path_len] == '?';
    request->path = (struct str){ uri, path_len };
    request->query = request->has_query ? str_of(uri + path_len + 1) : (struct str){ uri, 0 };
}

/* A whole number of bytes; no value is 0, one without room is INT64_MAX. False where it is anything
 * else. */
static bool read_length(const char *text, int64_t *length)
{
    int64_t value = 0;
    for (; text && *text; text++) {
        int digit = *text - '0';
        if (digit < 0 || digit > 9)
            return false;
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    *length = value;
    return true;
}

/* Do two header fields have one variable? A web server joins a field that is repeated, but
 * Accept-Language and Accept_Language have one name in CGI. Who reads the first and who passes both
 * on would answer different requests. */
static bool has_twins(const struct request *request)
{
    size_t count = 0, size = 64;
    while (request->variables[count])
        count++;
    while (size < count * 2)
        size *= 2;
    const char **seen = arena_zero(request->arena, size * sizeof *seen);
    for (char **variable = request->variables; *variable; variable++) {
        const char *name = variables_field(*variable);
        uint64_t hash = ids.start[0];
        size_t len = 0;
        if (!name)
            continue;
        for (; name[len] && name[len] != '='; len++)
            hash = (hash ^ (unsigned char)name[len]) * UINT64_C(0x100000001b3);
        size_t at = (hash ^ hash >> 32) & (size - 1);
        for (; seen[at]; at = (at + 1) & (size - 1)) {
            if (strncmp(seen[at], name, len) == 0 && seen[at][len] == name[len])
                return true;
        }
        seen[at] = name;
    }
    return false;
}

int request_fill(struct request *request, char **variables, int64_t body_max, const char **why)
{
    request->variables = variables;
    request->index = variables_index(request->arena, variables);

    const char *method = request_variable(request, "REQUEST_METHOD");
    const char *uri = request_variable(request, "REQUEST_URI");
    const char *id = request_variable(request, "HTTP_X_REQUEST_ID");
    request->id = id && request_id_is_sane(id) ? id : make_id(request->arena);
    request->method = method && *method ? method : "-";
    request->is_head = strcmp(request->method, "HEAD") == 0;
    request->body_length = 0;
    set_target(request, uri ? uri : "");

    *why = NULL;
    if (!method || !is_token(method))
        *why = "The request has no valid method";
    else if (request->path.len == 0 || request->path.at[0] != '/')
        *why = "The request target is no path";
    else if (!is_target(request->target))
        *why = "The request target has characters that must be percent-encoded";
    else if (!has_whole_escapes(request->path))
        *why = "The path has a broken percent-encoding";
    else if (!read_length(request_variable(request, "CONTENT_LENGTH"), &request->body_length))
        *why = "Content-Length is no number of bytes";
    else if (has_twins(request))
        *why = "Two header fields differ only in such as '-' and '_'";
    if (*why)
        return 400;

    if (request->body_length > body_max) {
        *why = "The request body is longer than allowed";
        return 413;
    }
    return 0;
}
