/* upstream_state: what the gateway knows of its upstreams just now.
 *
 * A configuration says how to act on it and comes and goes; this stays: which servers are out, what
 * a breaker has counted, who is waiting. Knows no rules; they are in breaker, server, bulkhead and
 * retry, and attempt.c applies them.
 */
#include "upstream_state.h"
#include <stdlib.h>
#include <string.h>
#include "attempt.h"
#include "lib/log.h"

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        abort(); /* as the arena does */
    return memory;
}

static char *copy(struct str text)
{
    char *bytes = zeroed(text.len + 1, 1);
    memcpy(bytes, text.at, text.len);
    return bytes;
}

/* --- servers --- */

static struct known_server *find_server(const struct upstream_state *state, struct str address)
{
    struct known_server *server = state->servers;
    while (server && !str_is(address, server->address))
        server = server->next;
    return server;
}

/* One that is added to others that run gets its share in a ramp. */
static struct known_server *add_server(
    struct upstream_state *state, struct str address, bool is_first)
{
    struct known_server *server = zeroed(1, sizeof *server);
    server->address = copy(address);
    server_init(&server->server, 1, balance_hash(address));
    if (!is_first)
        server_ramp(&server->server, log_clock_us());
    server->next = state->servers;
    state->servers = server;
    return server;
}

/* What the file says of it. One that checks took out waits for good ones: where there are none any
 * more, it would for ever. */
static void use_plan(
    struct server *server, const struct upstream_server *plan, const struct upstream *upstream)
{
    server->weight = plan->weight;
    server->is_draining = plan->is_draining;
    server->is_checked = upstream->check_interval_ms > 0;
    if (server->is_down && !server->is_checked)
        server_revive(server, log_clock_us());
}

/* With the lock held. */
static void attach_servers(struct upstream *upstream, bool is_first)
{
    struct upstream_state *state = upstream->state;
    upstream->states = zeroed((size_t)upstream->server_count, sizeof *upstream->states);
    for (int i = 0; i < upstream->server_count; i++) {
        const struct upstream_server *plan = &upstream->servers[i];
        struct known_server *server = find_server(state, plan->address.text);
        if (!server)
            server = add_server(state, plan->address.text, is_first);
        server->uses++;
        use_plan(&server->server, plan, upstream);
        upstream->states[i] = &server->server;
    }
}

static void detach_servers(struct upstream *upstream)
{
    struct known_server **link = &upstream->state->servers, *server;
    for (int i = 0; i < upstream->server_count; i++)
        find_server(upstream->state, upstream->servers[i].address.text)->uses--;
    while ((server = *link)) {
        if (server->uses > 0) {
            link = &server->next;
            continue;
        }
        *link = server->next;
        free(server->address);
        free(server);
    }
    free(upstream->states);
    upstream->states = NULL;
}

/* --- upstreams --- */

static struct upstream_state *find(const struct upstream_states *self, struct str name)
{
    struct upstream_state *state = self->first;
    while (state && !str_is(name, state->name))
        state = state->next;
    return state;
}

static struct upstream_state *add(struct upstream_states *self, struct str name)
{
    struct upstream_state *state = zeroed(1, sizeof *state);
    pthread_mutex_init(&state->lock, NULL);
    retry_budget_init(&state->budget);
    state->name = copy(name);
    state->next = self->first;
    self->first = state;
    return state;
}

void upstream_states_attach(
    struct upstream_states *self, struct upstream *upstreams, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct upstream *upstream = &upstreams[i];
        upstream->state = find(self, upstream->name);
        bool is_first = !upstream->state;
        if (is_first)
            upstream->state = add(self, upstream->name);
        upstream->state->uses++;
        pthread_mutex_lock(&upstream->state->lock);
        attach_servers(upstream, is_first);
        upstream->state->places = upstream->places;
        attempt_fill_places(upstream->state);
        pthread_mutex_unlock(&upstream->state->lock);
    }
}

static void forget_unused(struct upstream_states *self)
{
    struct upstream_state **link = &self->first, *state;
    while ((state = *link)) {
        if (state->uses > 0) {
            link = &state->next;
            continue;
        }
        *link = state->next;
        pthread_mutex_destroy(&state->lock);
        free(state->name);
        free(state);
    }
}

void upstream_states_detach(
    struct upstream_states *self, struct upstream *upstreams, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct upstream *upstream = &upstreams[i];
        pthread_mutex_lock(&upstream->state->lock);
        detach_servers(upstream);
        pthread_mutex_unlock(&upstream->state->lock);
        upstream->state->uses--;
        upstream->state = NULL;
    }
    forget_unused(self);
}

struct server_list upstream_state_servers(const struct upstream *upstream)
{
    return (struct server_list){ upstream->states, upstream->server_count };
}
