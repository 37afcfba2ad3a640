/* transfer_curl: an exchange by libcurl, where the host is a name or TLS is spoken.
 *
 * Its file alone sees libcurl. Transfers that have ended keep their easy handle, and libcurl keeps
 * their connections. Most of what a handle is set to is the same for the next call: that is set
 * once.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "kept.h"
#include "retry.h"
#include "transfer_part.h"

/* A service that comes back under another address must be found soon (a container that was
 * made anew); kept-alive connections make look-ups rare. */
#define ADDRESS_KEPT_S 1L

/* And a busy connection must not hold on for ever to where a name led once. */
#define CONNECTION_AGE_MAX_S 5L

/* What curl reads at once: a composed route has several calls under way, and most replies are
 * short. A stream is as long as it likes. */
#define COLLECTED_PIECE 8192L
#define STREAMED_PIECE 65536L

/* So many sockets are noted: those that are in use, besides those that are kept. */
#define SOCKETS_NOTED 64U

/* A socket that libcurl has opened, and its own port: by that it tells which one it has chosen. */
struct noted_socket {
    int fd, port; /* port 0: not asked for yet; -1: the socket is none any more */
};

struct curl_share {
    CURLM *multi;
    struct noted_socket sockets[SOCKETS_NOTED]; /* a ring */
    unsigned socket_count;                      /* of all that were ever noted */
    struct curl_waitfd *fds;
    size_t fds_size;
};

struct curl_part {
    CURL *easy;
    struct curl_share *share;
    char *url;      /* that it is set to */
    bool is_plain;  /* its other options are those of a GET without a body */
    bool is_fouled; /* the kept connection that it got has bytes for nobody */
};

/* --- what libcurl calls --- */

static size_t on_read(char *bytes, size_t size, size_t count, void *user)
{
    ssize_t got = transfer_flow_read(user, bytes, size * count);
    if (got == FLOW_WAIT)
        return CURL_READFUNC_PAUSE;
    return got == FLOW_GONE ? CURL_READFUNC_ABORT : (size_t)got;
}

/* Called for every line of a header section, 1xx ones and trailers included. libcurl keeps some
 * connections that are not fit for it. */
static size_t on_header(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    struct str line = { bytes, size * count };
    if (transfer->head_given)
        return line.len; /* a trailer */
    if (!transfer_flow_head(transfer, line.len) || !transfer_flow_line(transfer, line))
        return 0;
    if (transfer->head_given && !transfer->may_be_kept) {
        curl_easy_setopt(transfer->curl->easy, CURLOPT_FORBID_REUSE, 1L);
        transfer->curl->is_plain = false;
    }
    return line.len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    size_t len = size * count;
    if (!transfer->head_given) {
        transfer->is_malformed = true; /* such as what follows a 101 that nobody asked for */
        return 0;
    }
    return transfer_flow_body(transfer, bytes, len) ? len : 0;
}

static int on_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
    struct curl_share *share = user;
    (void)purpose;
    share->sockets[share->socket_count++ % SOCKETS_NOTED] = (struct noted_socket){ fd, 0 };
    return CURL_SOCKOPT_OK;
}

static int port_of(int fd)
{
    struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        return -1;
    if (own.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&own)->sin_port);
    return own.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&own)->sin6_port) : -1;
}

/* The socket that has this port; -1 where none is noted. Newest first: the kernel gives ports and
 * numbers of sockets away again. */
static int find_socket(struct curl_share *share, int port)
{
    unsigned count = share->socket_count < SOCKETS_NOTED ? share->socket_count : SOCKETS_NOTED;
    for (unsigned i = 1; i <= count; i++) {
        struct noted_socket *one = &share->sockets[(share->socket_count - i) % SOCKETS_NOTED];
        if (one->port == 0)
            one->port = port_of(one->fd);
        if (one->port == port)
            return one->fd;
    }
    return -1;
}

/* Has libcurl chosen a kept connection that has ended, or has bytes in it? It looks after them once
 * a second, and would take such bytes for an answer. Over TLS they are not one. */
static bool is_fouled(const struct curl_part *part, int port)
{
    long connects = 1;
    curl_easy_getinfo(part->easy, CURLINFO_NUM_CONNECTS, &connects);
    if (connects > 0 || strncmp(part->url, "https:", 6) == 0)
        return false;
    int fd = find_socket(part->share, port);
    return fd < 0 || !kept_is_silent(fd);
}

/* Called when there is a connection, before the request goes out. */
static int on_connected(void *user, char *to, char *from, int to_port, int from_port)
{
    struct transfer *transfer = user;
    (void)to, (void)from, (void)to_port;
    transfer->curl->is_fouled = is_fouled(transfer->curl, from_port);
    transfer->is_connected = !transfer->curl->is_fouled;
    return transfer->is_connected ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static void set_functions(struct transfer *transfer)
{
    CURL *easy = transfer->curl->easy;
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, transfer->curl->share);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}

/* --- what a handle is set to --- */

/* What stays the same for all calls over this handle. */
static void set_constants(struct transfer *transfer)
{
    CURL *easy = transfer->curl->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* http_proxy is not meant for our services */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)KEPT_IDLE_MAX_S);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, ADDRESS_KEPT_S);
    curl_easy_setopt(
        easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L); /* a name's addresses share the load */
}

bool transfer_curl_is_at(const struct transfer *transfer, const struct address *address)
{
    const struct curl_part *part = transfer->curl;
    return part && part->url && strcmp(part->url, address->url) == 0;
}

static void set_address(struct transfer *transfer, const struct address *address)
{
    struct curl_part *part = transfer->curl;
    free(part->url);
    part->url = transfer_need(strdup(address->url));
    curl_easy_setopt(part->easy, CURLOPT_URL, address->url);
    curl_easy_setopt(part->easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_AGE_MAX_S);
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

static void add_field(void *context, struct str name, struct str value)
{
    struct field_lines *lines = context;
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
    transfer_flow_fields(call, (struct str){ NULL, 0 }, terms->left_ms, add_field, &lines);
    return lines.first;
}

/* curl sends a request again when a kept connection turns out to be closed. That must not happen
 * to one that changes something (RFC 9110 section 9.2.2): it gets a new connection. A body that is
 * streamed cannot be sent a second time. */
static void set_method(CURL *easy, const struct call *call)
{
    bool is_kept_one_fit = retry_is_safe(str_of(call->method)) && !call->read;
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, is_kept_one_fit ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, is_kept_one_fit ? 0L : 1L);
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

static void set_handle(struct transfer *transfer, const struct transfer_terms *terms)
{
    const struct call *call = transfer->call;
    struct curl_part *part = transfer->curl;
    CURL *easy = part->easy;
    bool was_plain = part->is_plain;
    part->is_plain = is_plain(call);
    if (!was_plain || !part->is_plain || !transfer_curl_is_at(transfer, terms->address)) {
        curl_easy_reset(easy);
        set_constants(transfer);
        set_functions(transfer);
        set_address(transfer, terms->address);
        set_method(easy, call);
    }
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, call->write ? STREAMED_PIECE : COLLECTED_PIECE);
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, call->target);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, field_lines(call, terms));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms(terms));
}

/* --- its course --- */

/* Once for the process; libcurl takes its time and memory for it, so not before it is needed. */
static bool is_started;
static void start_curl(void)
{
    is_started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct curl_share *transfer_curl_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    if (!is_started)
        return NULL;
    struct curl_share *share = calloc(1, sizeof *share);
    if (!share || !(share->multi = curl_multi_init())) {
        free(share);
        return NULL;
    }
    curl_multi_setopt(share->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_MAX);
    curl_multi_setopt(share->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return share;
}

void transfer_curl_free(struct curl_share *share)
{
    if (!share)
        return;
    curl_multi_cleanup(share->multi);
    free(share->fds);
    free(share);
}

void transfer_curl_start(
    struct transfer *transfer, const struct transfer_terms *terms, struct curl_share *share)
{
    if (!transfer->curl) {
        transfer->curl = transfer_need(calloc(1, sizeof *transfer->curl));
        transfer->curl->easy = transfer_need(curl_easy_init());
        transfer->curl->share = share;
    }
    transfer->curl->is_fouled = false;
    set_handle(transfer, terms);
    curl_multi_add_handle(share->multi, transfer->curl->easy);
}

static enum transfer_end end_of(CURLcode result)
{
    switch (result) {
    case CURLE_OK:
        return TRANSFER_WHOLE;
    case CURLE_COULDNT_RESOLVE_HOST:
        return TRANSFER_NO_NAME;
    case CURLE_COULDNT_CONNECT:
        return TRANSFER_NO_CONNECTION;
    case CURLE_OPERATION_TIMEDOUT:
        return TRANSFER_LATE_CONNECTION;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return TRANSFER_NO_TLS;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return TRANSFER_NOT_HTTP;
    default:
        return TRANSFER_BROKEN;
    }
}

/* curl counts for each handle how often it has sent a request once more, over a new connection, and
 * forgets that only where all is set anew. */
static void note_end(struct transfer *transfer, CURLcode result)
{
    struct curl_part *part = transfer->curl;
    long connects = 1, error = 0;
    curl_easy_getinfo(part->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(part->easy, CURLINFO_OS_ERRNO, &error);
    part->is_plain = part->is_plain && result == CURLE_OK && connects == 0;
    transfer->os_error = (int)error;
    transfer->end = end_of(result);
    transfer->is_over = true;
}

/* Once more, over a connection of its own: nothing has been sent. */
static void start_anew(struct transfer *transfer)
{
    struct curl_part *part = transfer->curl;
    part->is_fouled = part->is_plain = false;
    curl_multi_remove_handle(part->share->multi, part->easy);
    curl_easy_setopt(part->easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_multi_add_handle(part->share->multi, part->easy);
}

void transfer_curl_go_on(struct curl_share *share)
{
    int number;
    CURLMsg *message;
    curl_multi_perform(share->multi, &number);
    while ((message = curl_multi_info_read(share->multi, &number))) {
        struct transfer *transfer;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        if (transfer->curl->is_fouled)
            start_anew(transfer);
        else
            note_end(transfer, message->data.result);
    }
}

void transfer_curl_poll(struct curl_share *share, struct pollfd *fds, size_t count, int wait_ms)
{
    size_t used = 0;
    if (count > share->fds_size) {
        share->fds = transfer_need(realloc(share->fds, count * sizeof *share->fds));
        share->fds_size = count;
    }
    for (size_t i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (fds[i].fd >= 0) /* libcurl does not pass over the others, as poll(2) does */
            share->fds[used++] = (struct curl_waitfd){ .fd = fds[i].fd,
                .events = (short)((fds[i].events & POLLIN ? CURL_WAIT_POLLIN : 0) |
                                  (fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT : 0)) };
    }
    curl_multi_poll(share->multi, share->fds, (unsigned)used, wait_ms, NULL);
    used = 0;
    for (size_t i = 0; i < count; i++)
        if (fds[i].fd >= 0)
            fds[i].revents = share->fds[used++].revents;
}

void transfer_curl_resume(struct transfer *transfer)
{
    curl_easy_pause(transfer->curl->easy, CURLPAUSE_CONT);
}

void transfer_curl_end(struct transfer *transfer, struct curl_share *share)
{
    if (!transfer->is_over)
        transfer->curl->is_plain = false;
    curl_multi_remove_handle(share->multi, transfer->curl->easy);
}

void transfer_curl_clear(struct transfer *transfer)
{
    if (!transfer->curl)
        return;
    curl_easy_cleanup(transfer->curl->easy);
    free(transfer->curl->url);
    free(transfer->curl);
    transfer->curl = NULL;
}
