/* route: the tree of segments, and the walk through it.
 *
 * Every node stands for one place in the paths: its children are the fixed texts that may come next
 * (in a hash table), and at most one each of int, any and rest. A request looks at one line of the
 * processor's cache for each, however many there are: bench/routes.c holds that. A node is reached
 * by one way only, so a walk sees every node at most once, however much it has to turn back.
 * Parameters' names belong to what was registered and not to the nodes: "GET /a/{x}" and "POST
 * /a/{y}" share theirs.
 */
#include "route.h"
#include <stdint.h>
#include "pattern.h"
#include "uri.h"

/* What was registered for one method at one place. */
struct endpoint {
    void *target;
    const struct str *names; /* of its parameters, in the order of the path */
    bool implied;            /* a HEAD that came with GET, and gives way to an explicit one */
};

/* A place in a node's hash table. The hash stands beside the pointer: what is something else is
 * passed over without a look at it. */
struct slot {
    uint64_t hash;
    struct node *child; /* NULL: nothing here, and nothing behind it */
};

struct node {
    struct str text;                 /* of a fixed segment, decoded */
    struct slot *fixed;              /* fixed_cap of them, never more than half of them taken */
    uint32_t fixed_count, fixed_cap; /* cap is 0 or a power of two */
    struct node *by_int, *by_any, *by_rest;
    unsigned methods; /* bits of the endpoints that there are */
    struct endpoint endpoints[METHOD_COUNT];
};

struct router {
    struct arena *arena; /* owner of all nodes */
    struct node root;
};

struct router *router_new(struct arena *arena)
{
    struct router *router = arena_zero(arena, sizeof *router);

    router->arena = arena;
    return router;
}

/* Eight bytes at a time. What is in the tables is the file's, so nobody outside can make them bad,
 * and a simple hash is good enough. */
static uint64_t hash_of(struct str text)
{
    uint64_t hash = text.len;

    for (size_t i = 0; i < text.len; i += sizeof(uint64_t)) {
        uint64_t word = 0;

        memcpy(&word, text.at + i, text.len - i < sizeof word ? text.len - i : sizeof word);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u; /* 2^64 divided by the golden ratio */
        hash ^= hash >> 32;
    }
    return hash;
}

/* The slot that has `text`, or where it would have to be. There is always an empty one. */
static struct slot *slot_of(const struct node *node, struct str text, uint64_t hash)
{
    for (uint32_t i = (uint32_t)hash;; i++) {
        struct slot *slot = &node->fixed[i & (node->fixed_cap - 1)];

        if (slot->child == NULL || (slot->hash == hash && str_eq(slot->child->text, text))) {
            return slot;
        }
    }
}

static struct node *fixed_child(const struct node *node, struct str text)
{
    return node->fixed_count ? slot_of(node, text, hash_of(text))->child : NULL;
}

static void grow_table(struct router *router, struct node *node)
{
    struct slot *old = node->fixed;
    uint32_t old_cap = node->fixed_cap;

    node->fixed_cap = old_cap ? old_cap * 2 : 2;
    node->fixed = arena_zero(router->arena, node->fixed_cap * sizeof *node->fixed);
    for (uint32_t i = 0; i < old_cap; i++) {
        if (old[i].child) {
            *slot_of(node, old[i].child->text, old[i].hash) = old[i];
        }
    }
}

static struct node *add_fixed(struct router *router, struct node *node, struct str text)
{
    struct node *child = fixed_child(node, text);
    uint64_t hash = hash_of(text);

    if (child) {
        return child;
    }
    if (node->fixed_count * 2 >= node->fixed_cap) {
        grow_table(router, node);
    }
    child = arena_zero(router->arena, sizeof *child);
    child->text = text;
    *slot_of(node, text, hash) = (struct slot){ hash, child };
    node->fixed_count++;
    return child;
}

static struct node *add_child(
    struct router *router, struct node *node, const struct pattern_segment *segment)
{
    struct node **child = segment->kind == SEGMENT_INT   ? &node->by_int
                          : segment->kind == SEGMENT_ANY ? &node->by_any
                                                         : &node->by_rest;

    if (segment->kind == SEGMENT_FIXED) {
        return add_fixed(router, node, segment->text);
    }
    if (*child == NULL) {
        *child = arena_zero(router->arena, sizeof **child);
    }
    return *child;
}

/* What at this place already takes one of the methods, or NULL. */
static void *overlapping(const struct node *node, unsigned methods)
{
    for (unsigned method = 0; method < METHOD_COUNT; method++) {
        const struct endpoint *endpoint = &node->endpoints[method];

        if (methods & 1u << method && endpoint->target && !endpoint->implied) {
            return endpoint->target;
        }
    }
    return NULL;
}

static void register_methods(struct node *node, unsigned methods, struct endpoint endpoint)
{
    for (unsigned method = 0; method < METHOD_COUNT; method++) {
        if (methods & 1u << method) {
            node->endpoints[method] = endpoint;
        }
    }
    node->methods |= methods;
    if (methods & 1u << METHOD_GET && node->endpoints[METHOD_HEAD].target == NULL) {
        endpoint.implied = true;
        node->endpoints[METHOD_HEAD] = endpoint;
        node->methods |= 1u << METHOD_HEAD;
    }
}

enum route_add_result router_add(
    struct router *router, struct str line, void *target, const char **error, void **other)
{
    struct pattern pattern;
    struct node *node = &router->root;
    struct str *names;

    *error = pattern_read(&pattern, line, router->arena);
    if (*error) {
        return ROUTE_SYNTAX;
    }
    for (unsigned i = 0; i < pattern.segment_count; i++) {
        node = add_child(router, node, &pattern.segments[i]);
    }
    *other = overlapping(node, pattern.methods);
    if (*other) {
        return ROUTE_OVERLAP;
    }
    names = arena_alloc(router->arena, pattern.name_count * sizeof *names);
    memcpy(names, pattern.names, pattern.name_count * sizeof *names);
    register_methods(node, pattern.methods, (struct endpoint){ target, names, false });
    return ROUTE_ADDED;
}

/* One look-up under way. */
struct walk {
    struct str segments[ROUTE_SEGMENTS_MAX]; /* of the path, decoded */
    const char *starts[ROUTE_SEGMENTS_MAX];  /* the same in the raw path */
    unsigned segment_count;
    const char *path_end;
    unsigned method;                                         /* METHOD_COUNT: none that we know */
    struct route_parameter parameters[ROUTE_PARAMETERS_MAX]; /* on the way to this node, unnamed */
    unsigned parameter_count;
    struct route_match *match;
};

/* The path ends at this node. The first endpoint that is met is the best; the walk goes on only for
 * match->allow. */
static void arrive(struct walk *walk, const struct node *node)
{
    struct route_match *match = walk->match;
    const struct endpoint *endpoint =
        walk->method < METHOD_COUNT ? &node->endpoints[walk->method] : NULL;

    match->allow |= node->methods;
    if (match->target || endpoint == NULL || endpoint->target == NULL) {
        return;
    }
    match->target = endpoint->target;
    match->parameter_count = walk->parameter_count;
    for (unsigned i = 0; i < walk->parameter_count; i++) {
        match->parameters[i] = walk->parameters[i];
        match->parameters[i].name = endpoint->names[i];
    }
}

static bool is_digits(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
    }
    return text.len > 0;
}

static void visit(struct walk *walk, const struct node *node, unsigned depth);

/* Visits a child that takes a parameter, if there is one. A rest has no children. */
static void visit_with(
    struct walk *walk, const struct node *child, unsigned depth, struct str value, bool is_int)
{
    if (child) {
        walk->parameters[walk->parameter_count++] =
            (struct route_parameter){ .value = value, .is_int = is_int };
        visit(walk, child, depth);
        walk->parameter_count--;
    }
}

/* Tries the children of `node` for segment `depth`, the best first. Recursion is bounded by
 * ROUTE_SEGMENTS_MAX. */
static void visit(struct walk *walk, const struct node *node, unsigned depth)
{
    const struct node *fixed;
    struct str segment;

    if (depth == walk->segment_count) {
        arrive(walk, node);
        visit_with(walk, node->by_rest, depth, (struct str){ walk->path_end, 0 }, false);
        return;
    }
    segment = walk->segments[depth];
    if (segment.len == 0) { /* between two slashes, or behind the last one */
        if (depth + 1 == walk->segment_count) {
            visit_with(walk, node->by_rest, depth + 1, (struct str){ walk->path_end, 0 }, false);
        }
        return;
    }
    fixed = fixed_child(node, segment);
    if (fixed) {
        visit(walk, fixed, depth + 1);
    }
    if (is_digits(segment)) {
        visit_with(walk, node->by_int, depth + 1, segment, true);
    }
    visit_with(walk, node->by_any, depth + 1, segment, false);
    visit_with(walk, node->by_rest, walk->segment_count,
        (struct str){ walk->starts[depth], (size_t)(walk->path_end - walk->starts[depth]) }, false);
}

/* Cuts the path into decoded segments; "/" has none. ROUTE_FOUND where that went well. */
static enum route_result split(struct walk *walk, struct str path, struct arena *arena)
{
    const char *at = path.at;

    walk->path_end = path.at + path.len;
    walk->segment_count = 0;
    if (path.len == 0 || *at != '/') {
        return ROUTE_BAD_PATH;
    }
    if (path.len == 1) {
        return ROUTE_FOUND;
    }
    while (at < walk->path_end) {
        const char *start = at + 1; /* behind the slash */
        struct str *segment = &walk->segments[walk->segment_count];

        if (walk->segment_count == ROUTE_SEGMENTS_MAX) {
            return ROUTE_NO_PATH;
        }
        at = memchr(start, '/', (size_t)(walk->path_end - start));
        at = at ? at : walk->path_end;
        if (!uri_decode((struct str){ start, (size_t)(at - start) }, arena, segment) ||
            str_is(*segment, ".") || str_is(*segment, "..")) {
            return ROUTE_BAD_PATH;
        }
        walk->starts[walk->segment_count++] = start;
    }
    return ROUTE_FOUND;
}

enum route_result router_find(const struct router *router, const char *method, struct str path,
    struct arena *arena, struct route_match *match)
{
    struct walk walk;
    enum route_result result;

    match->target = NULL;
    match->parameter_count = 0;
    match->allow = 0;
    result = split(&walk, path, arena);
    if (result != ROUTE_FOUND) {
        return result;
    }
    walk.method = pattern_method(str_of(method));
    walk.parameter_count = 0;
    walk.match = match;
    visit(&walk, &router->root, 0);
    if (match->target) {
        return ROUTE_FOUND;
    }
    return match->allow ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}

struct str route_parameter(const struct route_match *match, const char *name)
{
    for (unsigned i = 0; i < match->parameter_count; i++) {
        if (str_is(match->parameters[i].name, name)) {
            return match->parameters[i].value;
        }
    }
    return (struct str){ NULL, 0 };
}

void route_allow(struct buf *out, unsigned allow)
{
    const char *separator = "";

    for (unsigned method = 0; method < METHOD_COUNT; method++) {
        if (allow & 1u << method) {
            buf_text(out, separator);
            buf_text(out, pattern_method_name(method));
            separator = ", ";
        }
    }
}
