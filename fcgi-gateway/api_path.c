/* api_path: the routes as OpenAPI has them: paths with operations, one for each method.
 *
 * A line of the file has several methods, and a path may stand in several lines; in OpenAPI a path
 * stands once. There, "/a/{id}" and "/a/{name}" are the same path as well: such routes become one
 * path with the first one's names. Only where both have the same method ("{id:int}" and "{name}"
 * may stand beside each other here, and OpenAPI knows no such thing) they stay two.
 *
 * Runs once, when the file is read; lines are known to be well-formed.
 */
#include "api_path.h"
#include <ctype.h>
#include "lib/pattern.h"
#include "text_map.h"

struct parameter {
    struct str name;
    enum api_parameter_kind kind;
};

/* The next segment of what is left of a path, behind its first '/'. */
static struct str take_segment(struct str *path)
{
    return str_take(path, '/');
}

/* Is the segment a parameter, such as "{id:int}"? */
static bool is_parameter(struct str segment, struct parameter *parameter)
{
    if (segment.len < 2 || segment.at[0] != '{')
        return false;
    struct str inside = { segment.at + 1, segment.len - 2 };
    bool is_int = str_has(inside, ':');
    parameter->name = str_take(&inside, ':');
    parameter->kind = is_int ? API_INT : API_SEGMENT;
    if (parameter->name.at[parameter->name.len - 1] == '*') {
        parameter->name.len--;
        parameter->kind = API_REST;
    }
    return true;
}

static struct str path_of(struct str line)
{
    str_take(&line, ' ');
    str_take(&line, '/');
    return line;
}

void api_parameter_kinds(struct str line, enum api_parameter_kind *kinds)
{
    struct parameter parameter;
    for (struct str path = path_of(line); path.len > 0;)
        if (is_parameter(take_segment(&path), &parameter))
            *kinds++ = parameter.kind;
}

static bool is_version(struct str segment)
{
    bool digits = segment.len > 1 && segment.at[0] == 'v';
    for (size_t i = 1; digits && i < segment.len; i++)
        digits = isdigit((unsigned char)segment.at[i]);
    return digits;
}

bool api_may_have_body(const struct route *route, unsigned method)
{
    if (method == METHOD_GET || method == METHOD_HEAD)
        return false;
    return route->needs_body || method == METHOD_POST || method == METHOD_PUT ||
           method == METHOD_PATCH;
}

static bool is_our_own(const struct api_path *path)
{
    for (unsigned method = 0; method < METHOD_COUNT; method++) {
        const struct route *route = path->operations[method].route;
        if (route && (route->kind == ROUTE_HEALTH || route->kind == ROUTE_OPENAPI))
            return true;
    }
    return false;
}

struct str api_tag(const struct api_path *path)
{
    struct parameter parameter;
    if (is_our_own(path))
        return STR("gateway");
    for (struct str rest = { path->key.at + 1, path->key.len - 1 }; rest.len > 0;) {
        struct str segment = take_segment(&rest);
        if (!is_parameter(segment, &parameter) && !str_is(segment, "api") && !is_version(segment))
            return segment;
    }
    return STR("gateway");
}

/* --- paths --- */

struct gathering {
    struct arena *arena;
    struct api_path *first, **end;
    struct text_map keys, ids; /* which there are */
    struct text_map shapes;    /* the paths of each, from the first one on */
};

/* The path with the parameters' names of its own, or without any. */
static struct str write_path(
    struct str path, const struct str *names, unsigned name_count, struct arena *arena)
{
    struct buf out;
    struct parameter parameter;
    unsigned at = 0;
    buf_init(&out, arena);
    do {
        struct str segment = take_segment(&path);
        buf_char(&out, '/');
        if (!is_parameter(segment, &parameter)) {
            buf_str(&out, segment);
            continue;
        }
        buf_char(&out, '{');
        if (at < name_count)
            buf_str(&out, names[at++]);
        buf_char(&out, '}');
    } while (path.len > 0);
    return buf_as_str(&out);
}

static bool is_named_twice(const struct api_path *path)
{
    for (unsigned i = 0; i + 1 < path->name_count; i++)
        if (str_eq(path->names[i], path->names[path->name_count - 1]))
            return true;
    return false;
}

/* "id" where that makes another path's key: "id2", and so on. */
static void name_apart(const struct gathering *all, struct api_path *path, struct str line)
{
    struct str *last = path->name_count ? &path->names[path->name_count - 1] : NULL;
    struct str name = last ? *last : STR("");
    for (unsigned number = 2; last && (text_map_has(&all->keys, path->key) || is_named_twice(path));
         number++) {
        struct buf other;
        buf_init(&other, all->arena);
        buf_str(&other, name);
        buf_int(&other, number);
        *last = buf_as_str(&other);
        path->key = write_path(path_of(line), path->names, path->name_count, all->arena);
    }
}

static struct api_path *add_path(struct gathering *all, struct str line, struct str shape)
{
    struct api_path *path = arena_zero(all->arena, sizeof *path);
    struct parameter parameter;
    for (struct str rest = path_of(line); rest.len > 0;)
        if (is_parameter(take_segment(&rest), &parameter))
            path->names[path->name_count++] = parameter.name;
    path->shape = shape;
    path->key = write_path(path_of(line), path->names, path->name_count, all->arena);
    name_apart(all, path, line);
    *text_map_at(&all->keys, path->key) = path;
    *all->end = path;
    all->end = &path->next;
    return path;
}

static void add_operation(
    struct gathering *all, const struct route *route, unsigned method, struct str shape)
{
    void **first = text_map_at(&all->shapes, shape);
    struct api_path *path = *first, *last = NULL;
    for (; path && path->operations[method].route; path = path->next_of_shape)
        last = path;
    if (!path) {
        path = add_path(all, route->line, shape);
        if (last)
            last->next_of_shape = path;
        else
            *first = path;
    }
    path->operations[method].route = route;
}

/* --- operation ids --- */

/* "drink-size" becomes "DrinkSize". Letters of other languages, and what has no letter at all, are
 * told by their bytes: "/é" must not be what "/" is. */
static void write_words(struct buf *out, struct str text)
{
    size_t start = out->len;
    bool begins = true;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c >= 0x80)
            buf_printf(out, "%02X", c);
        else if (isalnum(c))
            buf_char(out, (char)(begins ? toupper(c) : c));
        begins = !isalnum(c);
    }
    bool has_none = out->len == start;
    for (size_t i = 0; i < text.len && has_none; i++)
        buf_printf(out, "%02X", (unsigned char)text.at[i]);
}

/* "get" and "/users/{id}/orders" become "getUsersByIdOrders". */
static struct str make_id(const struct api_path *path, unsigned method, struct arena *arena)
{
    struct buf out;
    struct parameter parameter;
    buf_init(&out, arena);
    for (const char *c = pattern_method_name(method); *c; c++)
        buf_char(&out, (char)tolower((unsigned char)*c));
    size_t start = out.len;
    for (struct str rest = { path->key.at + 1, path->key.len - 1 }; rest.len > 0;) {
        struct str segment = take_segment(&rest);
        if (is_parameter(segment, &parameter))
            buf_text(&out, "By");
        write_words(&out, is_parameter(segment, &parameter) ? parameter.name : segment);
    }
    if (out.len == start)
        buf_text(&out, "Root");
    return buf_as_str(&out);
}

/* Those that come first have it without a number. */
static void give_id(
    struct gathering *all, const struct api_path *path, struct api_operation *operation)
{
    struct str id = make_id(path, (unsigned)(operation - path->operations), all->arena);
    operation->id = id;
    for (unsigned number = 2; text_map_has(&all->ids, operation->id); number++) {
        struct buf other;
        buf_init(&other, all->arena);
        buf_str(&other, id);
        buf_int(&other, number);
        operation->id = buf_as_str(&other);
    }
    *text_map_at(&all->ids, operation->id) = operation;
}

struct api_path *api_paths(const struct config *config, struct arena *arena)
{
    struct gathering all = { .arena = arena };
    all.end = &all.first;
    text_map_init(&all.keys, arena);
    text_map_init(&all.ids, arena);
    text_map_init(&all.shapes, arena);
    for (unsigned i = 0; i < config->route_count; i++) {
        const struct route *route = &config->routes[i];
        struct str shape = write_path(path_of(route->line), NULL, 0, arena), methods = route->line;
        for (methods = str_take(&methods, ' '); methods.len > 0;)
            add_operation(&all, route, pattern_method(str_take(&methods, ',')), shape);
    }
    for (struct api_path *path = all.first; path; path = path->next)
        for (unsigned method = 0; method < METHOD_COUNT; method++)
            if (path->operations[method].route)
                give_id(&all, path, &path->operations[method]);
    return all.first;
}
