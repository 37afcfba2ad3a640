/* api_path: the routes as OpenAPI has them: paths with operations, one for each method. */
#ifndef GATEWAY_API_PATH_H
#define GATEWAY_API_PATH_H

#include "config.h"

struct api_operation {
    const struct route *route; /* NULL: the path does not have this method */
    struct str id;             /* unique, such as "getUsersById" */
};

struct api_path {
    struct str key;   /* "/users/{id}" */
    struct str shape; /* the same without the parameters' names: "/users/{}" */
    struct str names[ROUTE_PARAMETERS_MAX];
    unsigned name_count;
    struct api_operation operations[METHOD_COUNT];
    struct api_path *next, *next_of_shape;
};

enum api_parameter_kind { API_SEGMENT, API_INT, API_REST };

/* All routes, in the order of the file; every method of a line is one operation (the HEAD that GET
 * brings along is none). In `arena`. */
struct api_path *api_paths(const struct config *config, struct arena *arena);

/* Does a request of this method usually have a body, or does the route take something out of it?
 * One of a GET is refused by the web server. */
bool api_may_have_body(const struct route *route, unsigned method);

/* The kinds of the parameters of a route's line, in the order of its path. */
void api_parameter_kinds(struct str line, enum api_parameter_kind *kinds);

/* What groups operations: the first fixed segment that says something ("api" and "v1" do not), or
 * "gateway", also for what the gateway tells of itself. */
struct str api_tag(const struct api_path *path);

#endif
