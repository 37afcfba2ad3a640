/* revalidation: asks the service anew when the client has got a stale reply (RFC 5861 section 3).
 *
 * By the thread that served the client, when the client has all of its reply and its connection is
 * closed: that needs no threads of its own, and no queue that could grow. One at a time for each
 * reply.
 */
#include "revalidation.h"
#include "error_body.h"
#include "lib/connection.h"
#include "lib/log.h"
#include "sameness.h"

/* How long a service that failed is left alone, as far as one reply goes. */
#define QUIET_US (1000 * 1000LL)

/* A request like the one that found the stale reply; of the arena, as the connection with all that
 * belongs to it is gone. */
struct revalidation {
    struct request request;
    struct connection nobody;
    struct fetch like;
    struct cache_key key;
    struct stored *stale;
};

/* --- a client that does not listen --- */

static ssize_t read_nothing(struct connection *connection, void *bytes, size_t size)
{
    (void)connection, (void)bytes, (void)size;
    return 0;
}

static int no_fd(struct connection *connection)
{
    (void)connection;
    return -1;
}

static bool is_never_gone(struct connection *connection)
{
    (void)connection;
    return false;
}

static bool write_nowhere(struct connection *connection, const char *bytes, size_t len)
{
    (void)connection, (void)bytes, (void)len;
    return true;
}

static bool flush_nowhere(struct connection *connection)
{
    (void)connection;
    return true;
}

/* --- the request --- */

static char *copy_text(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text));
}

/* The same but for its method: a HEAD brings no body to keep. */
static char **copy_variables(const struct request *request)
{
    size_t count = 0;
    while (request->variables[count])
        count++;
    char **copy = arena_alloc(request->arena, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        bool is_method = strncmp(request->variables[i], "REQUEST_METHOD=", 15) == 0;
        copy[i] =
            copy_text(request->arena, is_method ? "REQUEST_METHOD=GET" : request->variables[i]);
    }
    copy[count] = NULL;
    return copy;
}

static struct revalidation *copy_request(const struct fetch *fetch, struct stored *stale)
{
    struct arena *arena = fetch->request->arena;
    struct revalidation *self = arena_zero(arena, sizeof *self);
    const char *why;
    self->like = *fetch;
    self->stale = stale;
    self->nobody = (struct connection){ .read = read_nothing,
        .body_fd = no_fd,
        .write = write_nowhere,
        .flush = flush_nowhere,
        .gone_fd = no_fd,
        .is_gone = is_never_gone };
    self->request = (struct request){ .arena = arena,
        .connection = &self->nobody,
        .thread = fetch->request->thread,
        .context = fetch->request->context };
    buf_init(&self->request.log, arena);
    request_fill(&self->request, copy_variables(fetch->request), INT64_MAX, &why);
    self->request.id = copy_text(arena, fetch->request->id);
    return self;
}

/* --- asking --- */

static void ask(struct revalidation *self, struct reply *reply, const struct route_match *match)
{
    const struct route *route = match->target;
    struct sameness same = { .request = &self->request,
        .has_authorization =
            route->kind == ROUTE_PASS && request_header(&self->request, "Authorization"),
        .has_cookie = route->kind == ROUTE_PASS && request_header(&self->request, "Cookie") };
    struct cache_asker asker = { sameness_fits, &same };
    self->key = sameness_key(&self->request, route, self->like.config);
    struct fetch fetch_it = self->like;
    fetch_it.request = &self->request;
    fetch_it.reply = reply;
    fetch_it.match = match;
    fetch_it.key = &self->key;
    fetch_it.asker = &asker;
    fetch_it.mark = cache_mark(self->like.config->cache, self->key.path);
    fetch_it.old = self->stale;
    fetch_it.may_fall_back = false;
    fetch_it.seat = NULL;
    int status = fetch(&fetch_it);
    if (status < 500)
        return;
    self->stale->quiet_to_us = log_clock_us() + QUIET_US;
    log_problem(&self->request, "a stale reply could not be made fresh: status %d", status);
}

static void run(void *context)
{
    struct revalidation *self = context;
    const struct config *config = self->like.config;
    struct request *request = &self->request;
    struct route_match match;
    struct reply reply;
    request->arrived_us = log_clock_us(); /* it has its own time */
    caller_watch(request->thread, NULL);
    if (router_find(config->router, request->method, request->path, request->arena, &match) ==
        ROUTE_FOUND) {
        const struct route *route = match.target;
        reply_init(&reply, request);
        error_body_use(&reply, &route->errors);
        ask(self, &reply, &match);
    }
    atomic_flag_clear(&self->stale->is_claimed);
}

void revalidation_plan(const struct fetch *fetch, struct stored *stale)
{
    struct request *request = fetch->request;
    if (request->after || atomic_flag_test_and_set(&stale->is_claimed))
        return;
    if (log_clock_us() < stale->quiet_to_us) {
        atomic_flag_clear(&stale->is_claimed);
        return;
    }
    request->after_context = copy_request(fetch, stale);
    request->after = run;
}
