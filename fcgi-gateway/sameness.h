/* sameness: which requests may get the same reply: those with the same key, and the same values of
 * what the reply's Vary names. */
#ifndef GATEWAY_SAMENESS_H
#define GATEWAY_SAMENESS_H

#include "cache.h"
#include "config.h"
#include "lib/request.h"

/* What the reply to a GET of this route depends on, for the cache. In the request's arena. */
struct cache_key sameness_key(
    const struct request *request, const struct route *route, const struct config *config);

/* What a change of the request's path makes go: the path, however it is written. */
struct str sameness_path(const struct request *request);

/* The key with what else tells people apart, for requests at the same time; `purges` keeps apart
 * what was asked for before and after a change. */
struct str sameness_flight_key(
    const struct request *request, const struct cache_key *key, unsigned purges);

/* Have requests with the same flight key the same of all the fields that a Vary field names? */
bool sameness_is_told(struct str vary);

/* What the request has of the fields that a Vary field names: a line for each. */
struct str sameness_vary_values(const struct request *request, struct str vary);

/* Was the stored reply made for a request like this one? `context` is a struct sameness. For struct
 * cache_asker. */
struct sameness {
    const struct request *request;
    bool has_authorization, has_cookie; /* and the reply may depend on it */
};
bool sameness_fits(void *context, const struct stored *stored);

#endif
