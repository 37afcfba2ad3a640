/* explain_part: what the parts of an explanation share. For explain alone. */
#ifndef GATEWAY_EXPLAIN_PART_H
#define GATEWAY_EXPLAIN_PART_H

#include "config.h"

#define EXPLAIN_INDENT 10 /* columns in front of all that is said: the headings stand there */

struct explanation {
    const struct config *config;
    const struct route *route;
    const struct route_match *match;
    uint32_t node; /* the route's value in the file */
    struct arena *arena;
    FILE *out;
};

/* One line behind a heading, or "" where the one above goes on. */
void explain_line(struct explanation *self, const char *heading, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What the file says at `node`: the names of an object's members, else the value itself; long ones
 * are cut. In the arena. */
const char *explain_value(struct explanation *self, uint32_t node);

/* Under "Guards": what keeps the upstreams of the route from harm. */
void explain_upstreams(struct explanation *self);

/* "Deadline" of a route that makes calls or runs a program, and "Calls": the graph in waves. */
void explain_calls(struct explanation *self);

/* "Failures": what happens when a call of the route fails, or its jq program. */
void explain_failures(struct explanation *self);

#endif
