/* upstream: calls to services over one curl multi handle per thread; the only file that sees
 * libcurl.
 *
 * Transfers that have ended give their easy handle back to the caller, and curl keeps their
 * connections, so that a usual call costs neither a handle nor a connect. Deadlines are kept here
 * and not by curl, because a streamed reply may last as long as it likes while it moves.
 */
#include "upstream.h"
#include <curl/curl.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include "lib/buf.h"
#include "lib/log.h"

/* Idle connections are given up by us before lighttpd does (60 s): a request is never sent into
 * one that the other side is just closing. */
#define CONNECTION_IDLE_MAX_S 30L

/* A service that comes back under another address must be found soon (a container that was
 * made anew); kept-alive connections make look-ups rare. */
#define ADDRESS_KEPT_S 1L

/* Idle connections that one thread keeps. */
#define CONNECTIONS_KEPT 32L

struct transfer {
    CURL *easy;
    struct call *call; /* NULL while idle */
    struct curl_slist *fields;
    long long started_us, deadline_us;
    struct buf body;
    bool is_final;    /* the status line seen is not of a 1xx reply */
    bool head_given;  /* call->head was called, or there is none to call */
    bool client_gone; /* call->read, head or write said so */
    bool is_too_long;
    bool is_malformed;     /* the reply breaks HTTP's rules in a way that curl lets pass */
    struct transfer *next; /* in the caller's list of idle or of active ones */
};

struct caller {
    CURLM *multi;
    struct transfer *idle, *active;
};

bool upstream_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct caller *caller_new(void)
{
    struct caller *caller = calloc(1, sizeof *caller);
    if (!caller)
        return NULL;
    caller->multi = curl_multi_init();
    if (!caller->multi) {
        free(caller);
        return NULL;
    }
    curl_multi_setopt(caller->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    curl_multi_setopt(caller->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return caller;
}

void caller_free(struct caller *caller)
{
    if (!caller)
        return;
    caller_cancel(caller);
    for (struct transfer *transfer = caller->idle; transfer;) {
        struct transfer *next = transfer->next;
        curl_easy_cleanup(transfer->easy);
        free(transfer);
        transfer = next;
    }
    curl_multi_cleanup(caller->multi);
    free(caller);
}

static void postpone_deadline(struct transfer *transfer)
{
    transfer->deadline_us = log_clock_us() + transfer->call->timeout_ms * 1000LL;
}

static size_t on_read(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    ssize_t got = transfer->call->read(transfer->call, bytes, size * count);
    postpone_deadline(transfer);
    if (got >= 0)
        return got;
    transfer->client_gone = true;
    return CURL_READFUNC_ABORT;
}

static void on_status_line(struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    struct call *call = transfer->call;
    call->status = (int)status;
    call->first_field = call->last_field = NULL;
    transfer->is_final = status >= 200;
}

static void add_field(struct call *call, struct str name, struct str value)
{
    struct call_field *field = arena_alloc(call->arena, sizeof *field);
    field->name = (struct str){ arena_copy(call->arena, name.at, name.len), name.len };
    field->value = (struct str){ arena_copy(call->arena, value.at, value.len), value.len };
    field->next = NULL;
    if (call->last_field)
        call->last_field->next = field;
    else
        call->first_field = field;
    call->last_field = field;
}

static struct str trim(struct str text)
{
    while (text.len && strchr(" \t\r\n", *text.at))
        text = (struct str){ text.at + 1, text.len - 1 };
    while (text.len && strchr(" \t\r\n", text.at[text.len - 1]))
        text.len--;
    return text;
}

/* Two lengths that differ: nobody can tell where the body ends (RFC 9112 section 6.3). */
static bool has_two_lengths(const struct call *call)
{
    struct str length = call_field(call, "Content-Length");
    for (const struct call_field *field = call->first_field; field; field = field->next)
        if (str_is_nocase(field->name, "Content-Length") && !str_eq(field->value, length))
            return true;
    return false;
}

/* The end of the header section: what streams may begin. */
static bool give_head(struct transfer *transfer)
{
    struct call *call = transfer->call;
    transfer->is_malformed |= has_two_lengths(call);
    if (transfer->is_malformed)
        return false;
    transfer->head_given = true;
    if (call->head && !call->head(call))
        transfer->client_gone = true;
    if (call->head)
        postpone_deadline(transfer);
    return !transfer->client_gone;
}

/* Called for every line of a header section, 1xx ones and trailers included. */
static size_t on_header(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    struct str line = { bytes, size * count };
    if (transfer->head_given)
        return line.len; /* a trailer */
    if (line.len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        on_status_line(transfer);
        return line.len;
    }
    /* A line that goes on with the one before it is not HTTP any more (RFC 9112 section 5.2). */
    bool is_folded = *bytes == ' ' || *bytes == '\t';
    struct str text = trim(line);
    if (is_folded && text.len)
        transfer->is_malformed = true;
    if (text.len == 0)
        return !transfer->is_final || give_head(transfer) ? line.len : 0;
    const char *colon = memchr(text.at, ':', text.len);
    if (colon && transfer->is_final) {
        struct str name = { text.at, (size_t)(colon - text.at) };
        add_field(
            transfer->call, trim(name), trim((struct str){ colon + 1, text.len - name.len - 1 }));
    }
    return line.len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    struct call *call = transfer->call;
    size_t len = size * count;
    if (!transfer->head_given) {
        transfer->is_malformed = true; /* such as what follows a 101 that nobody asked for */
        return 0;
    }
    if (call->write) {
        transfer->client_gone = !call->write(call, bytes, len);
        postpone_deadline(transfer);
        return transfer->client_gone ? 0 : len;
    }
    if (transfer->body.len + len > UPSTREAM_REPLY_MAX) {
        transfer->is_too_long = true;
        return 0;
    }
    buf_add(&transfer->body, bytes, len);
    return len;
}

/* What stays the same for all calls over this handle. */
static void set_constants(CURL *easy, struct transfer *transfer)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* http_proxy is not meant for our services */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_MAX_S);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, ADDRESS_KEPT_S);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}

static struct transfer *take_transfer(struct caller *caller)
{
    struct transfer *transfer = caller->idle;
    if (transfer) {
        caller->idle = transfer->next;
        curl_easy_reset(transfer->easy); /* curl counts its retries per handle and never forgets */
        set_constants(transfer->easy, transfer);
        return transfer;
    }
    transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        abort();
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        abort();
    set_constants(transfer->easy, transfer);
    return transfer;
}

static struct curl_slist *append(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    if (!longer)
        abort();
    return longer;
}

static struct curl_slist *field_list(const struct call *call)
{
    /* Nothing is sent that nobody asked for: no Accept, no waiting for 100 (Continue). */
    struct curl_slist *list = append(append(NULL, "Accept:"), "Expect:");
    if (call->upstream->socket_path) {
        struct buf host;
        buf_init(&host, call->arena);
        buf_text(&host, "Host: ");
        buf_str(&host, call->upstream->name);
        list = append(list, buf_as_text(&host));
    }
    for (const struct call_field *field = call->fields; field; field = field->next) {
        struct buf line;
        buf_init(&line, call->arena);
        buf_str(&line, field->name);
        buf_text(&line, field->value.len ? ": " : ";"); /* curl's way to write an empty one */
        buf_str(&line, field->value);
        list = append(list, buf_as_text(&line));
    }
    return list;
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
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, may_be_repeated(call->method) ? 0L : 1L);
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

void caller_start(struct caller *caller, struct call *call)
{
    struct transfer *transfer = take_transfer(caller);
    CURL *easy = transfer->easy;
    transfer->call = call;
    transfer->is_final = transfer->head_given = false;
    transfer->client_gone = transfer->is_too_long = transfer->is_malformed = false;
    buf_init(&transfer->body, call->arena);
    transfer->fields = field_list(call);
    curl_easy_setopt(easy, CURLOPT_URL, call->upstream->url);
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, call->upstream->socket_path);
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, call->target);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->fields);
    set_method(easy, call);
    call->transfer = transfer;
    call->status = 0;
    call->first_field = call->last_field = NULL;
    transfer->started_us = log_clock_us();
    transfer->deadline_us = transfer->started_us + call->timeout_ms * 1000LL;
    transfer->next = caller->active;
    caller->active = transfer;
    curl_multi_add_handle(caller->multi, easy);
}

/* Takes the transfer off its call and keeps its handle for the next one. */
static struct call *end_transfer(struct caller *caller, struct transfer *transfer)
{
    struct call *call = transfer->call;
    struct transfer **link = &caller->active;
    while (*link && *link != transfer)
        link = &(*link)->next;
    *link = transfer->next;
    transfer->next = caller->idle;
    caller->idle = transfer;
    curl_multi_remove_handle(caller->multi, transfer->easy);
    curl_slist_free_all(transfer->fields);
    call->took_us = log_clock_us() - transfer->started_us;
    call->body = buf_as_str(&transfer->body);
    call->transfer = NULL;
    transfer->call = NULL;
    return call;
}

static void set_outcome(struct call *call, enum call_outcome outcome, const char *cause)
{
    call->outcome = outcome;
    call->cause = cause;
}

/* From curl's result to ours. A reply that had begun is broken, one that had not is unreachable. */
static void judge(struct transfer *transfer, CURLcode result)
{
    struct call *call = transfer->call;
    if (transfer->client_gone)
        set_outcome(call, CALL_GONE, "The client went away");
    else if (transfer->is_malformed)
        set_outcome(call, CALL_BROKEN, "The reply is not HTTP");
    else if (transfer->is_too_long)
        set_outcome(call, CALL_BROKEN, "The reply is too long");
    else if (result == CURLE_OK && call->status >= 200)
        set_outcome(call, CALL_OK, NULL);
    else if (result == CURLE_COULDNT_RESOLVE_HOST)
        set_outcome(call, CALL_UNREACHABLE, "Host name not found");
    else if (result == CURLE_COULDNT_CONNECT)
        set_outcome(call, CALL_UNREACHABLE, "Connection refused");
    else if (result == CURLE_SSL_CONNECT_ERROR || result == CURLE_PEER_FAILED_VERIFICATION)
        set_outcome(call, CALL_UNREACHABLE, "TLS connection failed");
    else if (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_WEIRD_SERVER_REPLY ||
             result == CURLE_OK)
        set_outcome(call, CALL_BROKEN, "The reply is not HTTP");
    else if (transfer->is_final)
        set_outcome(call, CALL_BROKEN, "The reply broke off");
    else
        set_outcome(call, CALL_UNREACHABLE, "Connection closed before a reply");
}

static struct call *take_ended(struct caller *caller)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(caller->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct transfer *transfer;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        judge(transfer, result);
        return end_transfer(caller, transfer);
    }
    return NULL;
}

/* An active transfer whose deadline has passed, or NULL; *wait_ms says how long until the next. */
static struct transfer *find_late(struct caller *caller, int *wait_ms)
{
    long long now = log_clock_us(), first = LLONG_MAX;
    for (struct transfer *transfer = caller->active; transfer; transfer = transfer->next) {
        if (transfer->deadline_us <= now)
            return transfer;
        if (transfer->deadline_us < first)
            first = transfer->deadline_us;
    }
    *wait_ms = (int)((first - now) / 1000 + 1);
    return NULL;
}

struct call *caller_next(struct caller *caller)
{
    while (caller->active) {
        int running, wait_ms;
        curl_multi_perform(caller->multi, &running);
        struct call *ended = take_ended(caller);
        if (ended)
            return ended;
        struct transfer *late = find_late(caller, &wait_ms);
        if (late) {
            set_outcome(late->call, CALL_TIMEOUT, NULL);
            return end_transfer(caller, late);
        }
        curl_multi_poll(caller->multi, NULL, 0, wait_ms, NULL);
    }
    return NULL;
}

void caller_cancel(struct caller *caller)
{
    while (caller->active) {
        set_outcome(caller->active->call, CALL_GONE, "Given up");
        end_transfer(caller, caller->active);
    }
}

struct str call_field(const struct call *call, const char *name)
{
    for (const struct call_field *field = call->first_field; field; field = field->next)
        if (str_is_nocase(field->name, name))
            return field->value;
    return (struct str){ NULL, 0 };
}
