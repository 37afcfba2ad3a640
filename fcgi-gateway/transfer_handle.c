/* transfer_handle: what a handle of libcurl is set to: server, path, header fields, method.
 *
 * Most of it is the same for the next call. That is set once.
 */
#include <stdlib.h>
#include <string.h>
#include "transfer_part.h"

/* Idle connections are given up by us before lighttpd does (60 s): a request is never sent into
 * one that the other side is just closing. */
#define CONNECTION_IDLE_MAX_S 30L

/* A service that comes back under another address must be found soon (a container that was
 * made anew); kept-alive connections make look-ups rare. */
#define ADDRESS_KEPT_S 1L

/* And a busy connection must not hold on for ever to where a name led once. */
#define CONNECTION_AGE_MAX_S 5L

/* What curl reads at once: a composed route has several calls under way, and most replies are
 * short. A stream is as long as it likes. */
#define COLLECTED_PIECE 8192L
#define STREAMED_PIECE 65536L

/* Says a server how many milliseconds are left for its reply. */
#define TIMEOUT_FIELD "X-Request-Timeout-Ms"

/* What stays the same for all calls over this handle. */
static void set_constants(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* http_proxy is not meant for our services */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_MAX_S);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, ADDRESS_KEPT_S);
    curl_easy_setopt(
        easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L); /* a name's addresses share the load */
}

bool transfer_handle_is_at(const struct transfer *transfer, const struct address *address)
{
    const char *path = address->socket_path;
    return transfer->url && strcmp(transfer->url, address->url) == 0 &&
           (path ? transfer->socket_path && strcmp(transfer->socket_path, path) == 0
                 : !transfer->socket_path);
}

static void set_address(struct transfer *transfer, const struct address *address)
{
    free(transfer->url);
    free(transfer->socket_path);
    transfer->url = strdup(address->url);
    transfer->socket_path = address->socket_path ? strdup(address->socket_path) : NULL;
    curl_easy_setopt(transfer->easy, CURLOPT_URL, address->url);
    curl_easy_setopt(transfer->easy, CURLOPT_UNIX_SOCKET_PATH, address->socket_path);
    if (!address->socket_path)
        curl_easy_setopt(transfer->easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_AGE_MAX_S);
}

/* A list of header lines as curl reads it; in an arena, which saves two allocations a line. */
struct field_lines {
    struct arena *arena;
    struct curl_slist *first, **end;
};

static void add_line(struct field_lines *lines, const char *line)
{
    struct curl_slist *one = arena_alloc(lines->arena, sizeof *one);
    *one = (struct curl_slist){ (char *)line, NULL };
    *lines->end = one;
    lines->end = &one->next;
}

static void add_field(struct field_lines *lines, struct str name, struct str value)
{
    const char *between =
        value.len ? ": " : ";"; /* the second is curl's way to write an empty one */
    size_t between_len = strlen(between);
    char *line = arena_alloc(lines->arena, name.len + between_len + value.len + 1);
    memcpy(line, name.at, name.len);
    memcpy(line + name.len, between, between_len);
    if (value.len)
        memcpy(line + name.len + between_len, value.at, value.len);
    line[name.len + between_len + value.len] = 0;
    add_line(lines, line);
}

static struct curl_slist *field_lines(const struct call *call, const struct transfer_terms *terms)
{
    struct field_lines lines = { .arena = call->arena };
    lines.end = &lines.first;
    /* Nothing is sent that nobody asked for: no Accept, no waiting for 100 (Continue). */
    add_line(&lines, "Accept:");
    add_line(&lines, "Expect:");
    if (terms->address->socket_path)
        add_field(&lines, STR("Host"), terms->host);
    struct buf left;
    buf_init(&left, call->arena);
    buf_int(&left, terms->left_ms > 0 ? terms->left_ms : 1);
    add_field(&lines, STR(TIMEOUT_FIELD), buf_as_str(&left));
    for (const struct call_field *field = call->fields; field; field = field->next)
        if (!str_is_nocase(field->name, TIMEOUT_FIELD)) /* of the client: we know better */
            add_field(&lines, field->name, field->value);
    return lines.first;
}

/* curl sends a request again when a kept connection turns out to be closed. That must not happen
 * to one that changes something (RFC 9110 section 9.2.2): it gets a new connection. */
static bool may_be_repeated(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           strcmp(method, "OPTIONS") == 0;
}

static void set_method(CURL *easy, const struct call *call)
{
    /* A body that is streamed cannot be sent a second time. */
    bool is_kept_one_fit = may_be_repeated(call->method) && !call->read;
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, is_kept_one_fit ? 0L : 1L);
    if (strcmp(call->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (call->read) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body_length);
    }
    if (call->read || strcmp(call->method, "GET") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static bool is_plain(const struct call *call)
{
    return !call->read && strcmp(call->method, "GET") == 0;
}

/* Of this curl gives half to an address that neither accepts nor refuses, where the name has
 * another one. All of it ends behind our own deadline, which speaks first. */
static long connect_ms(const struct transfer_terms *terms)
{
    return terms->connect_ms ? terms->connect_ms : terms->left_ms + terms->left_ms / 4;
}

void transfer_handle_set(
    struct transfer *transfer, const struct call *call, const struct transfer_terms *terms)
{
    CURL *easy = transfer->easy;
    bool was_plain = transfer->is_plain;
    transfer->is_plain = is_plain(call);
    if (!was_plain || !transfer->is_plain || !transfer_handle_is_at(transfer, terms->address)) {
        curl_easy_reset(easy);
        set_constants(transfer);
        transfer_flow_connect(transfer);
        set_address(transfer, terms->address);
        set_method(easy, call);
    }
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, call->write ? STREAMED_PIECE : COLLECTED_PIECE);
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, call->target);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, field_lines(call, terms));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms(terms));
}

/* curl counts for each handle how often it has sent a request once more, over a new connection, and
 * forgets that only where all is set anew. */
void transfer_handle_ended(struct transfer *transfer, CURLcode result)
{
    long connects = 1;
    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
    transfer->is_plain = transfer->is_plain && result == CURLE_OK && connects == 0;
}
