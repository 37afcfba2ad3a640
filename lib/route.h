/* route: from a request's method and path to what was registered for it.
 *
 * A pattern is a path of segments: fixed text, `{name:int}` (digits only), `{name}` (any one
 * segment, not empty) and, last, `{name*}`: the rest of the path, which may be empty ("/a" and
 * "/a/" meet "/a/{name*}") but never begins with a slash. Segments are compared after
 * percent-decoding, so %2F never separates. Where several patterns match, at every segment fixed
 * beats int beats any beats rest; a pattern that lacks the method gives way to one that has it.
 *
 * The patterns form a tree of segments; a look-up costs the length of the path and not the number
 * of patterns.
 */
#ifndef LIB_ROUTE_H
#define LIB_ROUTE_H

#include "arena.h"
#include "buf.h"
#include "str.h"

#define ROUTE_PARAMETERS_MAX 16
#define ROUTE_SEGMENTS_MAX 64 /* longer paths are not found */

enum route_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_COUNT,
};

struct router;

struct route_parameter {
    struct str name;
    struct str value; /* decoded; of a rest: the raw bytes, as its slashes separate */
    bool is_int;
};

struct route_match {
    void *target; /* what was registered */
    struct route_parameter parameters[ROUTE_PARAMETERS_MAX];
    unsigned parameter_count;
    unsigned allow; /* bits (1u << enum route_method) of the methods that this path has */
};

enum route_result {
    ROUTE_FOUND,
    ROUTE_NO_PATH,   /* 404 */
    ROUTE_NO_METHOD, /* 405: match.allow has the methods for the Allow field */
    ROUTE_BAD_PATH,  /* 400: broken percent-encoding, "." or ".." segment, no leading slash */
};

/* A new router, in memory of `arena`, which owns it. */
struct router *router_new(struct arena *arena);

enum route_add_result {
    ROUTE_ADDED,
    ROUTE_SYNTAX,  /* *error says what is wrong with the line */
    ROUTE_OVERLAP, /* *other is the target that already matches the same requests */
};

/* Registers `target` (not NULL) for `line`, "METHOD[,METHOD] /path"; the text of `line` must
 * outlive the router. GET brings HEAD along. `error` is a static text. */
enum route_add_result router_add(
    struct router *router, struct str line, void *target, const char **error, void **other);

/* Finds the target for a request; `path` is raw, without the query. Decoded values are in `arena`.
 * Safe from many threads once nothing is added any more. */
enum route_result router_find(const struct router *router, const char *method, struct str path,
    struct arena *arena, struct route_match *match);

/* The value of parameter `name`; an empty str (at NULL) where there is none. */
struct str route_parameter(const struct route_match *match, const char *name);

/* "GET, HEAD, POST" for an Allow field (RFC 9110 section 10.2.1). */
void route_allow(struct buf *out, unsigned allow);

#endif
