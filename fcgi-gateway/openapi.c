/* openapi: the description of the public API, made from the routes (OpenAPI 3.1).
 *
 * The routes are what is true; so the document is made from them and cannot be forgotten when they
 * change. Made once, when the file is read: a request costs the sending. It says what callers need
 * and nothing of what is behind the gateway: no upstreams, no calls.
 */
#include "openapi.h"
#include <ctype.h>
#include "api_path.h"
#include "api_reply.h"
#include "json_out.h"
#include "lib/condition.h"
#include "lib/pattern.h"
#include "text_map.h"

/* --- parameters --- */

static void write_path_parameter(struct buf *out, struct str name, enum api_parameter_kind kind)
{
    json_out_item(out);
    buf_char(out, '{');
    json_out_text(out, "name", name);
    json_out_raw(out, "in", "\"path\"");
    json_out_raw(out, "required", "true");
    if (kind == API_REST)
        json_out_raw(out, "description",
            "\"The rest of the path: any number of segments with the slashes between them, also "
            "none. OpenAPI has no form for it, tools may send %2F where / is meant.\"");
    json_out_raw(out, "schema",
        kind == API_INT ? "{\"type\":\"integer\",\"minimum\":0}" : "{\"type\":\"string\"}");
    buf_char(out, '}');
}

/* OpenAPI gives these fields other places (section 4.8.12.2). */
static bool is_described_elsewhere(struct str field)
{
    return str_is_nocase(field, "Accept") || str_is_nocase(field, "Content-Type") ||
           str_is_nocase(field, "Authorization");
}

static bool has_input(const struct reference_input *list, const struct reference_input *input)
{
    while (list && !reference_input_is_same(list, input))
        list = list->next;
    return list;
}

static void write_input(struct buf *out, const struct reference_input *input)
{
    bool is_query = input->root == REFERENCE_QUERY;
    if (!is_query && (input->root != REFERENCE_HEADER || is_described_elsewhere(input->name)))
        return;
    json_out_item(out);
    buf_char(out, '{');
    json_out_text(out, "name", input->name);
    json_out_text(out, "in", is_query ? STR("query") : STR("header"));
    json_out_raw(out, "schema", input->is_int ? "{\"type\":\"integer\"}" : "{\"type\":\"string\"}");
    buf_char(out, '}');
}

/* Of a list of inputs those that are not in another one. */
static void write_inputs(struct buf *out, const struct reference_input *inputs,
    const struct reference_input *others, const struct reference_input *more_others)
{
    for (; inputs; inputs = inputs->next)
        if (!has_input(others, inputs) && !has_input(more_others, inputs))
            write_input(out, inputs);
}

static void write_parameters(struct buf *out, const struct config *config,
    const struct api_path *path, const struct route *route)
{
    const struct defaults *defaults = &config->defaults;
    enum api_parameter_kind kinds[ROUTE_PARAMETERS_MAX];
    api_parameter_kinds(route->line, kinds);
    json_out_name(out, "parameters");
    buf_char(out, '[');
    for (unsigned i = 0; i < path->name_count; i++)
        write_path_parameter(out, path->names[i], kinds[i]);
    write_inputs(out, route->inputs, NULL, NULL);
    write_inputs(out, defaults->inputs, route->inputs, NULL);
    if (route->kind == ROUTE_PASS)
        write_inputs(out, defaults->request_inputs, route->inputs, defaults->inputs);
    buf_char(out, ']');
}

/* --- bodies --- */

/* Numbers are elements of an array. */
static bool is_member(const struct reference_input *input)
{
    bool is_name = false;
    for (size_t i = 0; i < input->name.len; i++)
        is_name |= !isdigit((unsigned char)input->name.at[i]);
    return is_name;
}

/* What the route's references take out of the body. Of one that is taken as a whole nothing is
 * known. */
static void write_body_schema(struct buf *out, const struct route *route)
{
    bool has_member = false, has_element = false;
    for (const struct reference_input *input = route->inputs; input; input = input->next) {
        has_member |= input->root == REFERENCE_BODY && is_member(input);
        has_element |= input->root == REFERENCE_BODY && input->name.len && !is_member(input);
    }
    if (!has_member) {
        buf_text(out, has_element ? "{\"type\":\"array\"}" : "{}");
        return;
    }
    buf_text(out, "{\"type\":\"object\",\"properties\":{");
    for (const struct reference_input *input = route->inputs; input; input = input->next) {
        if (input->root != REFERENCE_BODY || !is_member(input))
            continue;
        json_out_str_name(out, input->name);
        buf_text(out, input->is_int ? "{\"type\":\"integer\"}" : "{}");
    }
    buf_text(out, "}}");
}

static void write_request_body(struct buf *out, const struct route *route, unsigned method)
{
    if (!api_may_have_body(route, method) || (route->kind != ROUTE_PASS && !route->needs_body))
        return;
    json_out_name(out, "requestBody");
    if (route->kind == ROUTE_PASS) { /* of whatever type: the service decides */
        buf_text(out, "{\"content\":{\"*/*\":{}}}");
        return;
    }
    buf_text(out, "{\"required\":true,\"content\":{\"application/json\":{\"schema\":");
    write_body_schema(out, route);
    buf_text(out, "}}}");
}

/* --- operations --- */

static struct str summary_of(const struct route *route)
{
    if (route->kind == ROUTE_HEALTH)
        return STR("State of the gateway and of its services");
    if (route->kind == ROUTE_OPENAPI)
        return STR("This description of the API");
    return route->summary;
}

static void write_operation(struct buf *out, const struct config *config,
    const struct api_path *path, const struct api_operation *operation, unsigned method)
{
    const struct route *route = operation->route;
    buf_char(out, '{');
    json_out_text(out, "operationId", operation->id);
    json_out_name(out, "tags");
    buf_char(out, '[');
    buf_json_string(out, api_tag(path));
    buf_char(out, ']');
    struct str summary = summary_of(route);
    if (summary.len)
        json_out_text(out, "summary", summary);
    if (route->description.len)
        json_out_text(out, "description", route->description);
    write_parameters(out, config, path, route);
    write_request_body(out, route, method);
    api_replies_write(out, config, route, method);
    buf_char(out, '}');
}

static void write_paths(struct buf *out, const struct config *config, struct api_path *paths)
{
    json_out_name(out, "paths");
    buf_char(out, '{');
    for (const struct api_path *path = paths; path; path = path->next) {
        json_out_str_name(out, path->key);
        buf_char(out, '{');
        for (unsigned method = 0; method < METHOD_COUNT; method++) {
            char name[16] = "";
            if (!path->operations[method].route)
                continue;
            for (size_t i = 0; pattern_method_name(method)[i]; i++)
                name[i] = (char)tolower((unsigned char)pattern_method_name(method)[i]);
            json_out_name(out, name);
            write_operation(out, config, path, &path->operations[method], method);
        }
        buf_char(out, '}');
    }
    buf_char(out, '}');
}

/* The groups, in the order of the file. */
static void write_tags(struct buf *out, struct api_path *paths)
{
    struct text_map seen;
    text_map_init(&seen, out->arena);
    json_out_name(out, "tags");
    buf_char(out, '[');
    for (struct api_path *path = paths; path; path = path->next) {
        void **first = text_map_at(&seen, api_tag(path));
        if (*first)
            continue;
        *first = path;
        json_out_item(out);
        buf_char(out, '{');
        json_out_text(out, "name", api_tag(path));
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void write_info(struct buf *out, const struct config *config)
{
    json_out_name(out, "info");
    buf_char(out, '{');
    json_out_text(out, "title", config->name);
    json_out_text(out, "version", config->version);
    if (config->description.len)
        json_out_text(out, "description", config->description);
    buf_char(out, '}');
}

/* FNV-1a: another document has another tag. */
static struct str tag_of(struct str text, struct arena *arena)
{
    unsigned long long hash = 14695981039346656037u;
    struct buf out;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 1099511628211u;
    buf_init(&out, arena);
    buf_printf(&out, "\"%016llx\"", hash);
    return buf_as_str(&out);
}

struct openapi openapi_new(const struct config *config)
{
    struct arena scratch; /* much more is written than is kept */
    arena_init(&scratch);
    struct api_path *paths = api_paths(config, &scratch);
    struct buf out;
    buf_init(&out, &scratch);
    buf_text(&out, "{\"openapi\":\"3.1.0\"");
    write_info(&out, config);
    json_out_raw(&out, "servers", "[{\"url\":\"/\"}]");
    write_tags(&out, paths);
    write_paths(&out, config, paths);
    json_out_name(&out, "components");
    api_components_write(&out, config);
    buf_char(&out, '}');
    struct openapi made;
    made.text = (struct str){ arena_copy(config->arena, out.data, out.len), out.len };
    made.etag = tag_of(made.text, config->arena);
    arena_clear(&scratch);
    return made;
}

int openapi(struct request *request, struct reply *reply, const struct config *config)
{
    const struct openapi *document = &config->openapi;
    reply_field(reply, "ETag", document->etag);
    reply_field(reply, "Cache-Control", STR("no-cache")); /* ask each time: it may be reloaded */
    if (condition_check(NULL, request_header(request, "If-None-Match"), document->etag, true) ==
        CONDITION_NOT_MODIFIED)
        return 304;
    return reply_json(reply, 200, document->text);
}
