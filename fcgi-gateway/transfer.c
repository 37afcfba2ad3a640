/* transfer: one exchange of a request and a reply with one server, several at the same time.
 *
 * Knows nothing of upstreams and their rules: which server is asked, whether and how often, is
 * upstream.c's business. An exchange goes one of two ways: over a socket of our own, or by libcurl
 * where the host is a name or TLS is spoken. Deadlines are kept here, because a streamed reply may
 * last as long as it likes while it moves.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include "kept.h"
#include "lib/crew.h"
#include "lib/log.h"
#include "transfer_part.h"

/* A name's next address is tried when one has not answered for a time; libcurl sees that when it is
 * called so often. */
#define CONNECT_LOOK_US (50 * 1000LL)

/* So long a client is not looked after: most replies are there by then, and the system calls for it
 * are saved. */
#define UNWATCHED_US (10 * 1000LL)

struct transferer *transferer_new(void)
{
    struct transferer *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->kept = kept_new();
    if (self->kept && pipe2(self->wake, O_CLOEXEC | O_NONBLOCK) == 0)
        return self;
    kept_free(self->kept);
    free(self);
    return NULL;
}

/* An idle transfer whose handle is set to this address if there is one, else any, else a new one.
 */
static struct transfer *take_transfer(struct transferer *self, const struct address *address)
{
    struct transfer **link = &self->idle;
    while (*link && !transfer_curl_is_at(*link, address))
        link = &(*link)->next;
    if (!*link)
        link = &self->idle;
    struct transfer *transfer = *link;
    if (!transfer)
        return transfer_need(calloc(1, sizeof *transfer));
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

static bool is_by_curl(const struct address *address)
{
    struct sockaddr_storage to;
    return address_socket(address, &to) == 0;
}

static void send_off(
    struct transferer *self, struct transfer *transfer, const struct transfer_terms *terms)
{
    if (!transfer->is_by_curl) {
        transfer_socket_start(transfer, terms, self->kept);
        return;
    }
    crew_take_thread(); /* libcurl waits in its own ways */
    if (!self->curl)
        self->curl = transfer_need(transfer_curl_new());
    self->curl_count++;
    transfer_curl_start(transfer, terms, self->curl);
}

void transfer_start(struct transferer *self, struct call *call, const struct transfer_terms *terms)
{
    struct transfer *transfer = take_transfer(self, terms->address);
    forget_reply(call);
    transfer->call = call;
    transfer->address = terms->address;
    transfer->is_by_curl = is_by_curl(terms->address);
    transfer->is_connected = transfer->was_sent = transfer->is_final = transfer->head_given = false;
    transfer->expects_status = true;
    transfer->may_be_kept = false;
    transfer->head_len = 0;
    transfer->waiting_fd = -1;
    transfer->client_gone = transfer->is_too_long = transfer->is_malformed = false;
    transfer->is_unflushed = transfer->is_over = false;
    transfer->deadline_us = terms->first_us;
    transfer->head = terms->head;
    buf_init(&transfer->body, call->arena);
    transfer->next = self->active;
    self->active = transfer;
    send_off(self, transfer, terms);
}

/* Takes the transfer off its call and keeps it for the next one. */
static struct call *end_transfer(struct transferer *self, struct transfer *transfer)
{
    struct call *call = transfer->call;
    struct transfer **link = &self->active;
    while (*link && *link != transfer)
        link = &(*link)->next;
    *link = transfer->next;
    transfer->next = self->idle;
    self->idle = transfer;
    if (transfer->is_by_curl) {
        transfer_curl_end(transfer, self->curl);
        self->curl_count--;
    } else {
        transfer_socket_end(transfer, self->kept);
    }
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
        end_transfer(self, transfer);
}

void transferer_free(struct transferer *self)
{
    if (!self)
        return;
    while (self->active)
        end_transfer(self, self->active);
    for (struct transfer *transfer = self->idle; transfer;) {
        struct transfer *next = transfer->next;
        transfer_curl_clear(transfer);
        free(transfer);
        transfer = next;
    }
    transfer_curl_free(self->curl);
    kept_free(self->kept);
    close(self->wake[0]);
    close(self->wake[1]);
    free(self->received);
    free(self->fds);
    free(self);
}

static struct call *take_ended(struct transferer *self)
{
    struct transfer *transfer = self->active;
    while (transfer && !transfer->is_over)
        transfer = transfer->next;
    if (!transfer)
        return NULL;
    transfer_flow_judge(transfer);
    return end_transfer(self, transfer);
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
        if (transfer->is_by_curl && !transfer->is_connected && now + CONNECT_LOOK_US < *until_us)
            *until_us = now + CONNECT_LOOK_US;
    }
    return NULL;
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
    ssize_t ignored = write(self->wake[1], "", 1); /* first: who sees the other takes this back */
    (void)ignored;                                 /* a full pipe is one that wakes it anyway */
    atomic_store(&self->is_woken, true);
}

static bool was_woken(struct transferer *self)
{
    char bytes[64];
    if (!atomic_load_explicit(&self->is_woken, memory_order_relaxed) ||
        !atomic_exchange(&self->is_woken, false))
        return false;
    while (read(self->wake[0], bytes, sizeof bytes) == sizeof bytes)
        ;
    return true;
}

struct call *transfer_next(struct transferer *self, long long until_us)
{
    for (;;) {
        long long next_us = until_us;
        if (self->curl_count > 0)
            transfer_curl_go_on(self->curl);
        struct call *ended = take_ended(self);
        if (ended)
            return ended;
        struct transfer *late = find_late(self, &next_us);
        if (late) {
            transfer_flow_judge_late(late);
            return end_transfer(self, late);
        }
        if (self->is_client_gone || was_woken(self) || log_clock_us() >= until_us)
            return NULL;
        transfer_wait(self, until_us == LLONG_MAX, next_us);
    }
}
