/* transfer_wait: what a thread waits for while its exchanges are under way.
 *
 * For all of their servers at once, for the client, and for whoever wakes it. A client is not
 * looked after from the beginning, and where one reply is all that can come, receiving it is the
 * wait: so a reply that is soon there costs no poll(2).
 */
#include <limits.h>
#include <stdlib.h>
#include "lib/log.h"
#include "lib/loop.h"
#include "transfer_part.h"

/* Waits are made of pieces no longer than this. */
#define WAIT_MAX_MS (60 * 60 * 1000)

/* What is received at once. Only as much of it is ever used as replies are long. */
#define RECEIVED_MAX (64 * 1024)

enum { WAKE, CLIENT, BODY, OTHERS }; /* the order of descriptors that are waited for */

/* The transfer that waits for the client; there is one client, so there is one at most. */
static struct transfer *find_waiting(struct transferer *self)
{
    struct transfer *transfer = self->active;
    while (transfer && transfer->waiting_fd < 0)
        transfer = transfer->next;
    return transfer;
}

static char *room_of(struct transferer *self)
{
    if (!self->received)
        self->received = transfer_need(malloc(RECEIVED_MAX));
    return self->received;
}

static void go_on(struct transferer *self, struct transfer *transfer)
{
    transfer_socket_go_on(transfer, room_of(self), RECEIVED_MAX);
}

/* The client's body goes on. */
static void resume(struct transferer *self, struct transfer *transfer)
{
    transfer->waiting_fd = -1;
    transfer_flow_moved(transfer);
    if (transfer->is_by_curl)
        transfer_curl_resume(transfer);
    else
        go_on(self, transfer);
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

/* What all active transfers over sockets wait for, behind OTHERS. */
static size_t add_wants(struct transferer *self, long long *until_us)
{
    size_t count = OTHERS;
    for (struct transfer *transfer = self->active; transfer; transfer = transfer->next) {
        if (transfer->is_by_curl)
            continue;
        if (count == self->fds_size) {
            self->fds_size *= 2;
            self->fds = transfer_need(realloc(self->fds, self->fds_size * sizeof *self->fds));
        }
        self->fds[count++] = transfer_socket_wants(transfer, until_us);
    }
    return count;
}

/* Those whose descriptors have something go on; who connects looks at the time, too. */
static void go_on_ready(struct transferer *self)
{
    const struct pollfd *fd = self->fds + OTHERS;
    for (struct transfer *transfer = self->active; transfer; transfer = transfer->next) {
        if (transfer->is_by_curl)
            continue;
        if (fd->revents || transfer->socket.is_connecting)
            go_on(self, transfer);
        fd++;
    }
}

/* A descriptor that is -1 is not waited for, poll(2). */
static void wait_in_poll(struct transferer *self, const struct request *request,
    struct transfer *waiting, bool is_wakeable, long long until_us)
{
    size_t count = add_wants(self, &until_us);
    struct pollfd *first = self->fds;
    first[WAKE] = (struct pollfd){ .fd = is_wakeable ? self->wake[0] : -1, .events = POLLIN };
    first[CLIENT] =
        (struct pollfd){ .fd = request ? request_client_fd(request) : -1, .events = POLLIN };
    first[BODY] = (struct pollfd){ .fd = waiting ? waiting->waiting_fd : -1, .events = POLLIN };
    int wait_ms = wait_until(until_us),
        client_ms = request ? request_client_wait_ms(request) : INT_MAX;
    wait_ms = client_ms < wait_ms ? client_ms : wait_ms;
    if (self->curl_count > 0)
        transfer_curl_poll(self->curl, first, count, wait_ms);
    else if (loop_poll(first, count, wait_ms) < 0)
        return;
    if (first[CLIENT].revents)
        self->is_client_gone = request_client_gone(request);
    go_on_ready(self);
    if (waiting && !waiting->is_over && waiting->waiting_fd >= 0 && first[BODY].revents)
        resume(self, waiting);
}

/* Is one reply all that is waited for? Then receiving it can wait by itself. */
static bool wait_in_receive(struct transferer *self, long long until_us)
{
    struct transfer *only = self->active;
    return only && !only->next && !only->is_by_curl &&
           transfer_socket_receive(only, until_us, room_of(self), RECEIVED_MAX);
}

static void wait_in_any_way(
    struct transferer *self, struct transfer *waiting, bool is_for_replies_only, long long until_us)
{
    bool is_unwatched = self->request && log_clock_us() < self->watched_from_us;
    bool is_brief = is_unwatched && is_for_replies_only;
    if (is_brief && !loop_is_here() && wait_in_receive(self, until_us))
        return;
    if (is_unwatched && self->watched_from_us < until_us)
        until_us = self->watched_from_us;
    wait_in_poll(self, is_unwatched ? NULL : self->request, waiting, !is_brief, until_us);
}

void transfer_wait(struct transferer *self, bool is_for_replies_only, long long until_us)
{
    struct transfer *waiting = find_waiting(self);
    if (waiting && transfer_flow_needs_no_body(waiting)) {
        resume(self, waiting);
        return;
    }
    flush_all(self);
    if (!self->fds) {
        self->fds_size = 2 * OTHERS;
        self->fds = transfer_need(malloc(self->fds_size * sizeof *self->fds));
    }
    wait_in_any_way(self, waiting, is_for_replies_only, until_us);
}
