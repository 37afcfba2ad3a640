/* transfer: one exchange of a request and a reply with one server, several at the same time.
 *
 * Knows nothing of upstreams and their rules: which server is asked, whether and how often, is
 * upstream.c's business. Transfers that have ended give their easy handle back, and curl keeps
 * their connections, so that a usual call costs neither a handle nor a connect. Deadlines are kept
 * here and not by curl, because a streamed reply may last as long as it likes while it moves.
 */
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "lib/log.h"
#include "transfer_part.h"

/* Waits are made of pieces no longer than this. */
#define WAIT_MAX_MS (60 * 60 * 1000)

/* A name's next address is tried when one has not answered for a time; curl sees that when it is
 * called so often. */
#define CONNECT_LOOK_US (50 * 1000LL)

/* So long a client is not looked after: most replies are there by then, and the system calls for it
 * are saved. */
#define UNWATCHED_US (10 * 1000LL)

/* Idle connections that one thread keeps. */
#define CONNECTIONS_KEPT 32L

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

/* An idle transfer whose handle is set to this address if there is one, else any, else a new one.
 */
static struct transfer *take_transfer(struct transferer *self, const struct address *address)
{
    struct transfer **link = &self->idle;
    while (*link && !transfer_handle_is_at(*link, address))
        link = &(*link)->next;
    if (!*link)
        link = &self->idle;
    struct transfer *transfer = *link;
    if (!transfer)
        return new_transfer();
    *link = transfer->next;
    return transfer;
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
    struct transfer *transfer = take_transfer(self, terms->address);
    forget_reply(call);
    transfer->call = call;
    transfer->is_connected = transfer->is_final = transfer->head_given = false;
    transfer->waiting_fd = -1;
    transfer->client_gone = transfer->is_too_long = transfer->is_malformed = false;
    transfer->is_unflushed = false;
    transfer->deadline_us = terms->first_us;
    transfer->head = terms->head;
    buf_init(&transfer->body, call->arena);
    transfer_handle_set(transfer, call, terms);
    transfer->next = self->active;
    self->active = transfer;
    curl_multi_add_handle(self->multi, transfer->easy);
}

/* Takes the transfer off its call and keeps its handle for the next one. */
static struct call *end_transfer(
    struct transferer *self, struct transfer *transfer, CURLcode result)
{
    struct call *call = transfer->call;
    transfer_handle_ended(transfer, result);
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
        transfer_flow_judge(transfer, result);
        return end_transfer(self, transfer, result);
    }
    return NULL;
}

/* An active transfer whose deadline has passed, or NULL; then *until_us is no later than when the
 * others want to be looked at. */
static struct transfer *find_late(struct transferer *self, long long *until_us)
{
    long long now = log_clock_us();
    for (struct transfer *transfer = self->active; transfer; transfer = transfer->next) {
        if (transfer->deadline_us <= now)
            return transfer;
        if (transfer->deadline_us < *until_us)
            *until_us = transfer->deadline_us;
        if (!transfer->is_connected && now + CONNECT_LOOK_US < *until_us)
            *until_us = now + CONNECT_LOOK_US;
    }
    return NULL;
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
    transfer_flow_moved(transfer);
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
    if (waiting && transfer_flow_needs_no_body(waiting)) {
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
            transfer_flow_judge_late(late);
            return end_transfer(self, late, CURLE_OPERATION_TIMEDOUT);
        }
        if (self->is_client_gone || atomic_exchange(&self->is_woken, false) ||
            log_clock_us() >= until_us)
            return NULL;
        wait_for_any(self, next_us);
    }
}
