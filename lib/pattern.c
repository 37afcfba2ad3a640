/* pattern: from the text of a route to its segments, with an answer for everything that can be
 * written wrongly.
 *
 * Apart from lib/route because it runs once, when routes are added, and is about people's mistakes;
 * the tree is about requests.
 */
#include "pattern.h"
#include "text.h"
#include "uri.h"

static const char *const method_names[METHOD_COUNT] = {
    [METHOD_GET] = "GET",
    [METHOD_HEAD] = "HEAD",
    [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH",
    [METHOD_DELETE] = "DELETE",
    [METHOD_OPTIONS] = "OPTIONS",
};

unsigned pattern_method(struct str name)
{
    unsigned method = 0;

    while (method < METHOD_COUNT && !str_is(name, method_names[method])) {
        method++;
    }
    return method;
}

const char *pattern_method_name(unsigned method)
{
    return method_names[method];
}

/* "GET,POST" */
static const char *read_methods(struct pattern *pattern, struct str methods)
{
    do {
        bool more = str_has(methods, ',');
        unsigned method = pattern_method(str_take(&methods, ','));

        if (method == METHOD_COUNT || (more && methods.len == 0)) {
            return "unknown method (known are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS; "
                   "several are written GET,POST without a space)";
        }
        if (pattern->methods & 1u << method) {
            return "the same method twice";
        }
        pattern->methods |= 1u << method;
    } while (methods.len > 0);
    return NULL;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Names stand in references such as {user.id}, so they must be plain words. */
static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];

        if (!is_letter(c) && (i == 0 || ((c < '0' || c > '9') && c != '-'))) {
            return false;
        }
    }
    return name.len > 0;
}

static const char *add_name(struct pattern *pattern, struct str name)
{
    if (!is_name(name)) {
        return "a parameter's name is made of letters, digits, '_' and '-', and starts with a "
               "letter or '_'";
    }
    for (unsigned i = 0; i < pattern->name_count; i++) {
        if (str_eq(pattern->names[i], name)) {
            return "two parameters with the same name";
        }
    }
    if (pattern->name_count == ROUTE_PARAMETERS_MAX) {
        return "more than " STR_NUMBER(ROUTE_PARAMETERS_MAX) " parameters";
    }
    pattern->names[pattern->name_count++] = name;
    return NULL;
}

/* What stands between '{' and '}'. */
static const char *read_parameter(
    struct pattern *pattern, struct pattern_segment *segment, struct str inside)
{
    bool has_type = str_has(inside, ':');
    struct str type = inside;
    struct str name = str_take(&type, ':');

    segment->kind = SEGMENT_ANY;
    if (has_type) {
        if (!str_is(type, "int")) {
            return "unknown parameter type (known is int: {id:int})";
        }
        segment->kind = SEGMENT_INT;
    } else if (name.len > 0 && name.at[name.len - 1] == '*') {
        segment->kind = SEGMENT_REST;
        name.len--;
    }
    return add_name(pattern, name);
}

static const char *read_fixed(struct pattern_segment *segment, struct str text, struct arena *arena)
{
    segment->kind = SEGMENT_FIXED;
    if (text.at[0] == ':') {
        return "a parameter is written {name} (a ':' itself is written %3A)";
    }
    if (str_is(text, "*")) {
        return "the rest of a path is written {name*} (a '*' itself is written %2A)";
    }
    if (!uri_decode(text, arena, &segment->text)) {
        return "broken percent-encoding or UTF-8 in the path (a '%' itself is written %25)";
    }
    /* The web server refuses those, however they are written: lighttpd/common.conf. */
    if (text_has_control(segment->text)) {
        return "the path has a control character, which no request can have";
    }
    if (str_is(segment->text, ".") || str_is(segment->text, "..")) {
        return "the path has a segment \".\" or \"..\", which no request can have";
    }
    return NULL;
}

static const char *read_segment(struct pattern *pattern, struct str text, struct arena *arena)
{
    struct pattern_segment *segment = &pattern->segments[pattern->segment_count];

    if (pattern->segment_count == ROUTE_SEGMENTS_MAX) {
        return "more than " STR_NUMBER(ROUTE_SEGMENTS_MAX) " segments in the path";
    }
    if (pattern->segment_count > 0 && segment[-1].kind == SEGMENT_REST) {
        return "{name*} takes the rest of the path and must be its last segment";
    }
    pattern->segment_count++;
    if (text.len == 0) {
        return "an empty segment in the path (two slashes, or one at the end)";
    }
    if (!str_has(text, '{') && !str_has(text, '}')) {
        return read_fixed(segment, text, arena);
    }
    if (text.at[0] == '{' && !str_has(text, '}')) {
        return "'{' without '}'";
    }
    if (text.at[0] != '{' || text.at[text.len - 1] != '}') {
        return "a parameter must be a whole segment: /{name}/ (a brace itself is written %7B or "
               "%7D)";
    }
    return read_parameter(pattern, segment, (struct str){ text.at + 1, text.len - 2 });
}

const char *pattern_read(struct pattern *pattern, struct str line, struct arena *arena)
{
    struct str path = line;
    struct str methods = str_take(&path, ' ');
    const char *error;

    pattern->methods = pattern->segment_count = pattern->name_count = 0;
    if (methods.len == line.len || methods.len == 0 || methods.at[0] == '/') {
        return "expected a method, a space and a path, such as \"GET /users\"";
    }
    error = read_methods(pattern, methods);
    if (error) {
        return error;
    }
    if (path.len == 0 || path.at[0] != '/') {
        return "the path must begin with '/', one space behind the method";
    }
    if (str_has(path, '?') || str_has(path, '#')) {
        return "a route is a path, without '?' or '#'";
    }
    str_take(&path, '/');
    if (path.len == 0) {
        return NULL; /* "/" */
    }
    for (bool more = true; more;) {
        more = str_has(path, '/');
        error = read_segment(pattern, str_take(&path, '/'), arena);
        if (error) {
            return error;
        }
    }
    return NULL;
}
