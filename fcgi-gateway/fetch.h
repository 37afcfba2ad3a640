/* fetch: lets a route answer, and keeps and shares what it answers. */
#ifndef GATEWAY_FETCH_H
#define GATEWAY_FETCH_H

#include "cache.h"
#include "coalesce.h"
#include "config.h"
#include "unshared.h"
#include "lib/reply.h"

/* What one request has to do with the cache and with others like it. */
struct fetch {
    struct request *request;
    struct reply *reply;
    const struct config *config;
    const struct route_match *match;
    /* How the route answers by itself. */
    int (*answer)(struct request *request, struct reply *reply, const struct config *config,
        const struct route_match *match);

    bool is_kept;                /* the reply may go into the cache */
    const struct cache_key *key; /* these three where the route has a cache */
    const struct cache_asker *asker;
    unsigned mark;
    struct stored *old;         /* what is kept and not fresh any more, or NULL; the caller's */
    bool may_fall_back;         /* `old` is better than an error */
    struct coalesce_seat *seat; /* of a leader, or NULL */
    bool has_place;             /* whether it is for others is to be remembered, here: */
    struct unshared_place place;
    const char *forwarded; /* why it is not answered from the cache: "miss"; NULL: no matter */
};

/* Answers the request. Returns the reply's status; the flight has ended, whatever came. */
int fetch(struct fetch *fetch);

#endif
