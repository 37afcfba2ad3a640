/* config: the configuration file as structs, compiled so that a request has nothing left to parse.
 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include <stdio.h>
#include "lib/arena.h"
#include "lib/route.h"
#include "cache_plan.h"
#include "call_plan.h"
#include "cors_plan.h"
#include "defaults.h"
#include "error_plan.h"
#include "jq_plan.h"
#include "reference.h"
#include "template.h"
#include "upstream.h"

/* Of a composed route, where the file says none: longer nobody waits for a page. */
#define ROUTE_TIMEOUT_MS 30000

enum route_kind {
    ROUTE_PASS, /* one call, streamed */
    ROUTE_REDIRECT,
    ROUTE_COMPOSE, /* calls, if any, and a reply from a template */
    ROUTE_HEALTH,
    ROUTE_OPENAPI,
};

struct route {
    struct str line; /* "GET /users/{id:int}" */
    size_t at;       /* its byte in the file */
    enum route_kind kind;
    int timeout_ms;   /* pass: the longest silence of the service; compose: for all; 0: not said */
    int64_t body_max; /* bytes of a request's body */
    const struct upstream *upstream; /* of ROUTE_PASS */
    const struct template_text
        *target; /* redirect: where to; pass: the path there, NULL: as it came */
    const struct template_text *fragment; /* redirect: behind the '#' of the place, or NULL */
    bool keeps_query;                     /* redirect: the client's query goes along */
    struct request_plan request;          /* pass: what changes on the way to the service */
    struct call_plan *calls;
    unsigned call_count;
    int status;                               /* of a redirect, or when all calls succeed */
    const struct reference *status_reference; /* where it says that instead; else NULL */
    struct field_plans fields;                /* header fields of the reply */
    struct error_plan errors;                 /* the file's, with what the route says instead */
    struct cache_plan cache;
    uint64_t fingerprint;           /* of all that the file says of it: kept replies go with that */
    const struct cors_plan *cors;   /* NULL: pages of other origins read nothing */
    bool needs_body;                /* some reference is to the request's body */
    const struct template *reply;   /* of ROUTE_COMPOSE; NULL: all calls' replies */
    struct jq_program *jq;          /* what makes the body of it; NULL: it is the body */
    const struct template *failure; /* NULL: the gateway's own error body */
    uint32_t failure_needs;         /* a bit for every call that `failure` shows */

    /* For the API's description alone. The schemas are JSON, or at NULL where nothing is known. */
    struct str summary, description;
    struct str schema;                     /* of the reply's body, as the file says it */
    struct str reply_shape, failure_shape; /* the same, as the templates tell it */
    const struct reference_input *inputs;
};

/* The API's description, made once. */
struct openapi {
    struct str text; /* JSON */
    struct str etag; /* with its quotes */
};

struct cache;
struct coalescer;
struct unshared;

struct config {
    struct arena *arena;             /* owner of all of it */
    struct str name;                 /* what the gateway calls itself */
    struct str description, version; /* of the API */
    struct str text;                 /* the file, byte for byte */
    struct upstream *upstreams;
    unsigned upstream_count;
    struct error_plan errors;
    int64_t body_max;    /* bytes of a request's body, where its route says nothing */
    int concurrent_max;  /* requests at the same time; from a start on, not a reload */
    int64_t cache_bytes; /* for kept replies */
    struct defaults defaults;
    struct jq_plan *jq; /* all routes' programs */
    struct router *router;
    struct route *routes;
    unsigned route_count;
    /* What outlives this configuration; set when it is put in use, NULL before that. */
    struct cache *cache;
    struct coalescer *coalescer;
    struct unshared *unshared;
    struct json json;       /* the file, for those who show parts of it */
    struct openapi openapi; /* empty where no route asks for it */
};

/* Reads the file. Returns NULL where it cannot be used, after writing every mistake to `out`, one
 * line each. In `arena`. */
struct config *config_read(const char *file, struct arena *arena, FILE *out);

/* The same for a file that was read before, in the same environment: it takes no time to look at
 * its jq programs again. */
struct config *config_read_again(const char *file, struct arena *arena, FILE *out);

/* The same for a person who has asked: a file may be a pipe, and a command that writes to it may
 * take its time, where the others give up after a second. */
struct config *config_read_patiently(const char *file, struct arena *arena, FILE *out);

#endif
