/* pattern: reads a route's line, "GET,POST /users/{id:int}". For lib/route alone, whose header says
 * what patterns mean. */
#ifndef LIB_PATTERN_H
#define LIB_PATTERN_H

#include "arena.h"
#include "route.h"
#include "str.h"

enum segment_kind {
    SEGMENT_FIXED,
    SEGMENT_INT,
    SEGMENT_ANY,
    SEGMENT_REST,
};

struct pattern_segment {
    enum segment_kind kind;
    struct str text; /* of a fixed one, decoded */
};

struct pattern {
    unsigned methods; /* bits (1u << enum route_method) */
    struct pattern_segment segments[ROUTE_SEGMENTS_MAX];
    unsigned segment_count;
    struct str names[ROUTE_PARAMETERS_MAX]; /* of the parameters, in the order of the path */
    unsigned name_count;
};

/* Reads `line`; texts point into it or are in `arena`. NULL, or a static text that says what is
 * wrong with the line. */
const char *pattern_read(struct pattern *pattern, struct str line, struct arena *arena);

/* The enum route_method called `name` (upper case, RFC 9110 section 9.1), or METHOD_COUNT. */
unsigned pattern_method(struct str name);

const char *pattern_method_name(unsigned method);

#endif
