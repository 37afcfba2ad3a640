/* upstream_state: what the gateway knows of its upstreams just now. It outlives reloads. */
#ifndef GATEWAY_UPSTREAM_STATE_H
#define GATEWAY_UPSTREAM_STATE_H

#include <pthread.h>
#include "upstream.h"

/* One server of an upstream, found by its address. */
struct known_server {
    struct server server;
    char *address;
    unsigned uses; /* configurations that have it */
    struct known_server *next;
};

/* One upstream, found by its name: all threads and configurations that have it share it. The lock
 * is held for microseconds, never during I/O. */
struct upstream_state {
    pthread_mutex_t lock; /* of all that follows, but for what the registry needs */
    struct breaker breaker;
    struct bulkhead bulkhead;
    struct bulkhead_settings places; /* as the newest configuration says: they hold for all calls */
    struct retry_budget budget;
    struct known_server *servers;

    /* The registry's own. */
    char *name;
    unsigned uses; /* configurations that have it */
    struct upstream_state *next;
};

/* All of them. Only one thread at a time may attach and detach. */
struct upstream_states {
    struct upstream_state *first;
};

/* A configuration comes into use: its upstreams get their state, what is known of them from
 * earlier ones or, where nothing is, a new one. Weights and draining hold from now on. */
void upstream_states_attach(
    struct upstream_states *self, struct upstream *upstreams, unsigned count);

/* It is not used by anybody any more. What no other one has is forgotten. */
void upstream_states_detach(
    struct upstream_states *self, struct upstream *upstreams, unsigned count);

/* The servers of `upstream`, in the order of the file; with the lock held. */
struct server_list upstream_state_servers(const struct upstream *upstream);

#endif
