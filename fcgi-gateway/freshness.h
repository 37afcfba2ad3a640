/* freshness: may a reply be kept for others, and for how long is it fresh (RFC 9111, RFC 5861).
 *
 * As a shared cache. What the service says of its reply counts; the route's setting is for replies
 * that say nothing. Pure: texts and times come in, verdicts come out. All times are milliseconds.
 */
#ifndef GATEWAY_FRESHNESS_H
#define GATEWAY_FRESHNESS_H

#include <stdbool.h>
#include "lib/str.h"

/* What the route says: "5s stale 30s". */
struct freshness_setting {
    long long ttl_ms;   /* of replies that say nothing; 0: those are not kept */
    long long stale_ms; /* how long after that they may still be used */
};

/* What the client wants (RFC 9111 section 5.2.1). -1: not said. */
struct freshness_wish {
    bool no_store, no_cache, only_if_cached;
    long long max_age_ms, min_fresh_ms, max_stale_ms;
};

/* The values of Cache-Control and Pragma; at NULL where they are not there. */
struct freshness_wish freshness_wish(struct str cache_control, struct str pragma);

/* One exchange with the service. Values of fields are lists where the field came several times, and
 * at NULL where it did not come. */
struct freshness_exchange {
    /* Does the reply depend on who asks, as far as the request tells? */
    bool has_authorization, has_cookie;
    int status;
    struct str cache_control, expires, date, age, vary;
    bool has_set_cookie;
    bool has_validator; /* ETag or Last-Modified: it can be asked whether it is still the same */
    long long took_ms;  /* from the request to the reply's header section */
    long long unix_ms;  /* the time of day when that came */
};

/* The verdict, kept with the reply. */
struct freshness {
    bool is_storable; /* nothing else holds where not */
    bool is_for_all;  /* public and such: also for requests with credentials (section 3.5) */
    bool is_said;     /* the lifetime is the service's word, not the route's */
    bool is_strict;   /* no-cache, must-revalidate: never used when it is not fresh */
    bool is_firm;     /* so, or s-maxage: not even where a client would take it (5.2.2.10) */
    long long age_ms; /* when it came: it may have been in a cache before */
    long long lifetime_ms;
    long long stale_while_ms; /* after the lifetime: used while somebody asks the service */
    long long stale_error_ms; /* after the lifetime: used where the service fails */
};

struct freshness freshness_judge(
    const struct freshness_exchange *exchange, const struct freshness_setting *setting);

/* Is the reply for whoever asked and nobody else: private, no-store? Also not for those who ask at
 * the same time then. */
bool freshness_is_for_one(struct str cache_control);

enum freshness_use {
    FRESHNESS_FRESH,    /* use it */
    FRESHNESS_STALE,    /* use it, then ask the service */
    FRESHNESS_FALLBACK, /* ask the service; use it where that fails */
    FRESHNESS_SPENT,    /* ask the service, and tell what it says */
};

/* What can be done with a reply that has been kept for `kept_ms`. */
enum freshness_use freshness_use(
    const struct freshness *freshness, const struct freshness_wish *wish, long long kept_ms);

/* "Sun, 06 Nov 1994 08:49:37 GMT" and the two older forms (RFC 9110 section 5.6.7), as seconds
 * since 1970. False where it is none. */
bool freshness_date(struct str text, long long *unix_s);

#endif
