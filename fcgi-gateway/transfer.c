/* transfer: one exchange of a request and a reply with one server; the only file that sees libcurl.
 *
 * Knows nothing of upstreams and their rules: which server is asked, whether and how often, is
 * upstream.c's business. Transfers that have ended give their easy handle back, and curl keeps
 * their connections, so that a usual call costs neither a handle nor a connect. Deadlines are kept
 * here and not by curl, because a streamed reply may last as long as it likes while it moves.
 */
#include "transfer.h"
#include <curl/curl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>
#include "lib/buf.h"
#include "lib/log.h"
#include "head.h"

/* Idle connections are given up by us before lighttpd does (60 s): a request is never sent into
 * one that the other side is just closing. */
#define CONNECTION_IDLE_MAX_S 30L

/* A service that comes back under another address must be found soon (a container that was
 * made anew); kept-alive connections make look-ups rare. */
#define ADDRESS_KEPT_S 1L

/* How long a client may send nothing of its body. lighttpd gives up before that (max-read-idle). */
#define CLIENT_SILENCE_MAX_US (60 * 1000000LL)

/* From here on curl sends no more of a body: the reply is an answer to what it got. */
#define STATUS_STOPS_BODY 300

/* The highest status that HTTP has (RFC 9110 section 15): nobody behind us knows what another one
 * means. */
#define STATUS_MAX 599

/* Waits are made of pieces no longer than this. */
#define WAIT_MAX_MS (60 * 60 * 1000)

/* Says a server how many milliseconds are left for its reply. */
#define TIMEOUT_FIELD "X-Request-Timeout-Ms"

/* So long a client is not looked after: most replies are there by then, and the system calls for it
 * are saved. */
#define UNWATCHED_US (10 * 1000LL)

/* Idle connections that one thread keeps. */
#define CONNECTIONS_KEPT 32L

struct transfer {
    CURL *easy;
    struct call *call;       /* NULL while idle */
    char *url, *socket_path; /* that the handle was set to; socket_path may be NULL */
    bool is_plain;           /* the handle's other options are those of a GET without a body */
    bool (*head)(struct call *call);
    long long deadline_us;
    int waiting_fd; /* the client's, while it sends nothing of its body; else -1 */
    struct buf body;
    bool is_final;    /* the status line seen is not of a 1xx reply */
    bool head_given;  /* call->head was called, or there is none to call */
    bool client_gone; /* call->read, head or write said so */
    bool is_unflushed;
    bool is_too_long;
    bool is_malformed;     /* the reply breaks HTTP's rules in a way that curl lets pass */
    struct transfer *next; /* in the list of idle or of active ones */
};

struct transferer {
    CURLM *multi;
    struct transfer *idle, *active;
    const struct request *request; /* whose client all these exchanges are for, or NULL */
    long long watched_from_us;
    bool is_client_gone;
    atomic_bool is_woken;
};

bool transfer_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct transferer *transferer_new(void)
{
    struct transferer *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->multi = curl_multi_init();
    if (!self->multi) {
        free(self);
        return NULL;
    }
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    curl_multi_setopt(self->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return self;
}

static void postpone_deadline(struct transfer *transfer)
{
    const struct call *call = transfer->call;
    transfer->deadline_us = log_clock_us() + call->timeout_ms * 1000LL;
    if (call->deadline_us && call->deadline_us < transfer->deadline_us)
        transfer->deadline_us = call->deadline_us;
}

/* Has the upstream answered already, in a way that makes the rest of the body useless? */
static bool needs_no_body(const struct transfer *transfer)
{
    return transfer->head_given && transfer->call->status >= STATUS_STOPS_BODY;
}

/* Never waits for the client: the upstream may have something to say meanwhile. */
static size_t on_read(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    struct call *call = transfer->call;
    if (needs_no_body(transfer))
        return 0;
    transfer->waiting_fd = call->body_fd ? call->body_fd(call) : -1;
    if (transfer->waiting_fd >= 0) {
        transfer->deadline_us = log_clock_us() + CLIENT_SILENCE_MAX_US;
        return CURL_READFUNC_PAUSE;
    }
    call->is_body_begun = true;
    ssize_t got = call->read(call, bytes, size * count);
    if (call->write)
        postpone_deadline(transfer);
    if (got >= 0)
        return (size_t)got;
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

/* The end of the header section: what streams may begin. */
static bool give_head(struct transfer *transfer)
{
    struct call *call = transfer->call;
    transfer->head_given = true;
    if (call->head && !transfer->head(call))
        transfer->client_gone = true;
    transfer->is_unflushed = call->head && call->flush;
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
        return transfer->call->status <= STATUS_MAX ? line.len : 0;
    }
    if (!transfer->is_final)
        return line.len;
    switch (head_line(transfer->call, line)) {
    case HEAD_MORE:
        return line.len;
    case HEAD_END:
        return give_head(transfer) ? line.len : 0;
    case HEAD_BAD:
        transfer->is_malformed = true;
    }
    return 0;
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
        transfer->is_unflushed = call->flush != NULL;
        postpone_deadline(transfer);
        return transfer->client_gone ? 0 : len;
    }
    if (transfer->body.len + len > CALL_REPLY_MAX) {
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
    curl_easy_setopt(
        easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L); /* a name's addresses share the load */
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}

static struct transfer *new_transfer(void)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        abort();
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        abort();
    return transfer;
}

static bool is_set_to(const struct transfer *transfer, const struct address *address)
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
}

/* An idle transfer for this address if there is one, else any, else a new one. What it was set to
 * for its last call is set for the next one as well, as far as both are plain. */
static struct transfer *take_transfer(
    struct transferer *self, const struct address *address, bool is_plain)
{
    struct transfer **link = &self->idle;
    while (*link && !is_set_to(*link, address))
        link = &(*link)->next;
    if (!*link)
        link = &self->idle;
    struct transfer *transfer = *link;
    if (transfer)
        *link = transfer->next;
    else
        transfer = new_transfer();
    if (!is_plain || !transfer->is_plain || !is_set_to(transfer, address)) {
        curl_easy_reset(transfer->easy);
        set_constants(transfer->easy, transfer);
        set_address(transfer, address);
    }
    transfer->is_plain = is_plain;
    return transfer;
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

static void forget_reply(struct call *call)
{
    call->status = 0;
    call->first_field = call->last_field = NULL;
    call->body = (struct str){ NULL, 0 };
    call->is_past_deadline = call->is_unsent = false;
}

void transfer_start(struct transferer *self, struct call *call, const struct transfer_terms *terms)
{
    struct transfer *transfer = take_transfer(self, terms->address, is_plain(call));
    CURL *easy = transfer->easy;
    forget_reply(call);
    transfer->call = call;
    transfer->is_final = transfer->head_given = false;
    transfer->waiting_fd = -1;
    transfer->client_gone = transfer->is_too_long = transfer->is_malformed = false;
    transfer->is_unflushed = false;
    transfer->deadline_us = terms->first_us;
    transfer->head = terms->head;
    buf_init(&transfer->body, call->arena);
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, call->target);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, field_lines(call, terms));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)terms->connect_ms);
    if (!transfer->is_plain)
        set_method(easy, call);
    transfer->next = self->active;
    self->active = transfer;
    curl_multi_add_handle(self->multi, easy);
}

/* Can the handle be used again as it is? curl counts for each how often it has sent a request once
 * more, over a new connection, and forgets that only where all is set anew. */
static bool is_reusable(const struct transfer *transfer, CURLcode result)
{
    long connects = 1;
    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
    return transfer->is_plain && result == CURLE_OK && connects == 0;
}

/* Takes the transfer off its call and keeps its handle for the next one. */
static struct call *end_transfer(
    struct transferer *self, struct transfer *transfer, CURLcode result)
{
    struct call *call = transfer->call;
    transfer->is_plain = is_reusable(transfer, result);
    struct transfer **link = &self->active;
    while (*link && *link != transfer)
        link = &(*link)->next;
    *link = transfer->next;
    transfer->next = self->idle;
    self->idle = transfer;
    curl_multi_remove_handle(self->multi, transfer->easy);
    call->body = buf_as_str(&transfer->body);
    transfer->call = NULL;
    return call;
}

void transfer_cancel(struct transferer *self, const struct call *call)
{
    struct transfer *transfer = self->active;
    while (transfer && transfer->call != call)
        transfer = transfer->next;
    if (transfer)
        end_transfer(self, transfer, CURLE_ABORTED_BY_CALLBACK);
}

void transferer_free(struct transferer *self)
{
    if (!self)
        return;
    while (self->active)
        end_transfer(self, self->active, CURLE_ABORTED_BY_CALLBACK);
    for (struct transfer *transfer = self->idle; transfer;) {
        struct transfer *next = transfer->next;
        curl_easy_cleanup(transfer->easy);
        free(transfer->url);
        free(transfer->socket_path);
        free(transfer);
        transfer = next;
    }
    curl_multi_cleanup(self->multi);
    free(self);
}

/* Of curl's results those that come before a connection was made. */
static bool is_unsent(CURLcode result)
{
    return result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_CONNECT ||
           result == CURLE_SSL_CONNECT_ERROR || result == CURLE_PEER_FAILED_VERIFICATION ||
           result == CURLE_OPERATION_TIMEDOUT;
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
    call->is_unsent = is_unsent(result);
    if (transfer->client_gone)
        set_outcome(call, CALL_GONE, "The client went away");
    else if (transfer->is_malformed)
        set_outcome(call, CALL_BROKEN, "The reply is not HTTP");
    else if (call->status > STATUS_MAX)
        set_outcome(call, CALL_BROKEN, "The reply's status is none of HTTP's");
    else if (transfer->is_too_long)
        set_outcome(call, CALL_BROKEN, "The reply is too long");
    else if (result == CURLE_OK && call->status >= 200)
        set_outcome(call, CALL_OK, NULL);
    else if (result == CURLE_COULDNT_RESOLVE_HOST)
        set_outcome(call, CALL_UNREACHABLE, "Host name not found");
    else if (result == CURLE_COULDNT_CONNECT)
        set_outcome(call, CALL_UNREACHABLE, "Connection refused");
    else if (result == CURLE_OPERATION_TIMEDOUT)
        set_outcome(call, CALL_UNREACHABLE, "No connection in time");
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

static struct call *take_ended(struct transferer *self)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(self->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct transfer *transfer;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        judge(transfer, result);
        return end_transfer(self, transfer, result);
    }
    return NULL;
}

/* An active transfer whose deadline has passed, or NULL; then *until_us is no later than the next
 * deadline. */
static struct transfer *find_late(struct transferer *self, long long *until_us)
{
    long long now = log_clock_us();
    for (struct transfer *transfer = self->active; transfer; transfer = transfer->next) {
        if (transfer->deadline_us <= now)
            return transfer;
        if (transfer->deadline_us < *until_us)
            *until_us = transfer->deadline_us;
    }
    return NULL;
}

static void end_late(struct transfer *late)
{
    struct call *call = late->call;
    if (late->waiting_fd >= 0) {
        set_outcome(call, CALL_GONE, "The client sent nothing of its body");
        return;
    }
    set_outcome(call, CALL_TIMEOUT, NULL);
    call->is_past_deadline = late->deadline_us == call->deadline_us;
}

/* The transfer that waits for the client; there is one client, so there is one at most. */
static struct transfer *find_waiting(struct transferer *self)
{
    struct transfer *transfer = self->active;
    while (transfer && transfer->waiting_fd < 0)
        transfer = transfer->next;
    return transfer;
}

static void go_on(struct transfer *transfer)
{
    transfer->waiting_fd = -1;
    postpone_deadline(transfer);
    curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
}

/* Milliseconds from now, never too few: who wakes too early goes round for nothing. */
static int wait_until(long long until_us)
{
    long long left_us = until_us - log_clock_us();
    if (left_us <= 0)
        return 0;
    return left_us / 1000 < WAIT_MAX_MS ? (int)(left_us / 1000 + 1) : WAIT_MAX_MS;
}

/* What streams have written and not sent yet. */
static void flush_all(struct transferer *self)
{
    for (struct transfer *transfer = self->active; transfer; transfer = transfer->next) {
        if (transfer->is_unflushed)
            transfer->call->flush(transfer->call);
        transfer->is_unflushed = false;
    }
}

/* Until something moves, the client goes, somebody wakes us, or the time has come. */
static void wait_for_any(struct transferer *self, long long until_us)
{
    struct transfer *waiting = find_waiting(self);
    if (waiting && needs_no_body(waiting)) {
        go_on(waiting);
        return;
    }
    flush_all(self);
    long long now_us = log_clock_us();
    const struct request *request = now_us < self->watched_from_us ? NULL : self->request;
    if (!request && self->request && self->watched_from_us < until_us)
        until_us = self->watched_from_us;
    /* What is -1 is not waited for, poll(2). */
    struct curl_waitfd client[] = {
        { .fd = request ? request_client_fd(request) : -1, .events = CURL_WAIT_POLLIN },
        { .fd = waiting ? waiting->waiting_fd : -1, .events = CURL_WAIT_POLLIN },
    };
    int wait_ms = wait_until(until_us),
        client_ms = request ? request_client_wait_ms(request) : INT_MAX;
    curl_multi_poll(self->multi, client, 2, client_ms < wait_ms ? client_ms : wait_ms, NULL);
    if (client[0].revents)
        self->is_client_gone = request_client_gone(request);
    if (waiting && client[1].revents)
        go_on(waiting);
}

void transferer_watch(struct transferer *self, const struct request *request)
{
    self->request = request;
    self->watched_from_us = log_clock_us() + UNWATCHED_US;
    self->is_client_gone = false;
}

bool transferer_is_client_gone(const struct transferer *self)
{
    return self->is_client_gone;
}

void transferer_wake(struct transferer *self)
{
    atomic_store(&self->is_woken, true);
    curl_multi_wakeup(self->multi);
}

struct call *transfer_next(struct transferer *self, long long until_us)
{
    for (;;) {
        int running;
        long long next_us = until_us;
        curl_multi_perform(self->multi, &running);
        struct call *ended = take_ended(self);
        if (ended)
            return ended;
        struct transfer *late = find_late(self, &next_us);
        if (late) {
            end_late(late);
            return end_transfer(self, late, CURLE_OPERATION_TIMEDOUT);
        }
        if (self->is_client_gone || atomic_exchange(&self->is_woken, false) ||
            log_clock_us() >= until_us)
            return NULL;
        wait_for_any(self, next_us);
    }
}
