/* explain: what the gateway would do with a request, in words, for `--explain`.
 *
 * Says what was read, not what was meant: the route is found by the router that requests meet, and
 * numbers come from the structs that they are answered with. What can be shown as the file says it
 * is taken from there. Asks no service.
 */
#include "explain.h"
#include <ctype.h>
#include <stdarg.h>
#include "explain_part.h"
#include "lib/pattern.h"
#include "quantity.h"

#define SHOWN_MAX 70 /* characters of a value: a line of a terminal */

void explain_line(struct explanation *self, const char *heading, const char *format, ...)
{
    va_list values;
    fprintf(self->out, "%-*s", EXPLAIN_INDENT, heading);
    va_start(values, format);
    vfprintf(self->out, format, values);
    va_end(values);
    putc('\n', self->out);
}

/* Control characters as in JSON: what stands on two lines must not look like one. */
static void add_visible(struct buf *line, char c)
{
    if (c == '\n')
        buf_text(line, "\\n");
    else if (c == '\t')
        buf_text(line, "\\t");
    else if (iscntrl((unsigned char)c))
        buf_printf(line, "\\u%04x", (unsigned char)c);
    else
        buf_char(line, c);
}

static const char *shortened(struct arena *arena, struct str text)
{
    struct buf line;
    buf_init(&line, arena);
    for (size_t i = 0; i < text.len; i++) {
        bool starts_character = (text.at[i] & 0xC0) != 0x80;
        if (starts_character && line.len >= SHOWN_MAX) {
            buf_text(&line, "...");
            break;
        }
        add_visible(&line, text.at[i]);
    }
    return buf_as_text(&line);
}

/* JSON without the line ends between its members; in its strings there are none. */
static struct str joined(struct arena *arena, struct str raw)
{
    struct buf line;
    buf_init(&line, arena);
    for (size_t i = 0; i < raw.len; i++)
        if (!iscntrl((unsigned char)raw.at[i]))
            buf_char(&line, raw.at[i]);
    return buf_as_str(&line);
}

const char *explain_value(struct explanation *self, uint32_t node)
{
    const struct json *json = &self->config->json;
    if (node == JSON_NONE)
        return "";
    const struct json_node *nodes = json->nodes;
    struct buf names;
    buf_init(&names, self->arena);
    for (uint32_t name = node + 1; nodes[node].type == JSON_OBJECT && name < nodes[node].next;
         name = nodes[name + 1].next) {
        buf_text(&names, names.len ? ", " : "");
        buf_str(&names, json_string(json, name, self->arena));
    }
    if (nodes[node].type == JSON_STRING)
        return shortened(self->arena, json_string(json, node, self->arena));
    return shortened(
        self->arena, names.len ? buf_as_str(&names) : joined(self->arena, json_raw(json, node)));
}

/* The value of a key of the route that is an object, or JSON_NONE. */
static uint32_t member(const struct explanation *self, const char *name)
{
    return json_member(&self->config->json, self->node, str_of(name));
}

static void say_route(struct explanation *self, const char *file, const struct route_match *match)
{
    const struct route *route = self->route;
    unsigned line, column;
    json_position(self->config->json.text, route->at, &line, &column);
    explain_line(self, "Route", "%.*s", (int)route->line.len, route->line.at);
    explain_line(self, "", "%s:%u", file, line);
    for (unsigned i = 0; i < match->parameter_count; i++) {
        const struct route_parameter *parameter = &match->parameters[i];
        explain_line(self, "", "%.*s is %.*s", (int)parameter->name.len, parameter->name.at,
            (int)parameter->value.len, parameter->value.at);
    }
}

static void say_cors(struct explanation *self, const struct cors_plan *plan)
{
    struct buf origins;
    buf_init(&origins, self->arena);
    for (unsigned i = 0; i < plan->origin_count && !plan->is_for_all; i++) {
        buf_text(&origins, i ? ", " : "");
        buf_str(&origins, plan->origins[i]);
    }
    explain_line(self, "", "pages of %s may read the reply%s",
        plan->is_for_all ? "every origin" : buf_as_text(&origins),
        plan->has_credentials ? ", with credentials" : "");
    explain_line(self, "", "a preflight is answered 204");
}

/* What must be there: found by a request that has nothing but its path. */
static const struct reference *find_need(
    struct explanation *self, const struct template_text *target)
{
    char *no_variables[] = { NULL };
    struct request request = { .arena = self->arena, .variables = no_variables };
    struct reference_values values = { .request = &request, .match = self->match };
    return target ? template_text_lack(target, &values) : NULL;
}

static void say_needs(struct explanation *self)
{
    const struct route *route = self->route;
    const struct reference *need = find_need(self, route->target);
    if (!need)
        need = find_need(self, route->fragment);
    for (unsigned i = 0; i < route->call_count && !need; i++) {
        const struct call_plan *call = &route->calls[i];
        if (!call->when && !call->otherwise && !call->each)
            need = find_need(self, call->target);
    }
    if (need)
        explain_line(self, "", "a request that lacks {%.*s} is answered 400", (int)need->text.len,
            need->text.at);
}

static void say_guards(struct explanation *self)
{
    explain_line(self, "Guards", "a request body of more than %s is answered 413",
        quantity_size(self->arena, self->route->body_max));
    if (self->route->needs_body)
        explain_line(self, "", "a request body that is not JSON is answered 400 or 415");
    say_needs(self);
    if (self->route->cors)
        say_cors(self, self->route->cors);
    explain_upstreams(self);
}

/* What is set, and what is taken away. */
static void say_changes(struct explanation *self, const char *what, const struct field_plans *plans)
{
    struct buf set, removed;
    buf_init(&set, self->arena);
    buf_init(&removed, self->arena);
    for (unsigned i = 0; i < plans->count; i++) {
        struct buf *list = plans->list[i].value ? &set : &removed;
        buf_text(list, list->len ? ", " : "");
        buf_str(list, plans->list[i].name);
    }
    if (set.len)
        explain_line(self, "", "%s: %s", what, shortened(self->arena, buf_as_str(&set)));
    if (removed.len)
        explain_line(
            self, "", "%s taken away: %s", what, shortened(self->arena, buf_as_str(&removed)));
}

/* --- kinds of routes --- */

static void say_pass(struct explanation *self)
{
    const struct upstream *upstream = self->route->upstream;
    int timeout_ms = self->route->timeout_ms ? self->route->timeout_ms : upstream->timeout_ms;
    struct str server = upstream->servers->address.text;
    explain_line(self, "Pass", "to %.*s, %.*s", (int)upstream->name.len, upstream->name.at,
        (int)server.len, server.at);
    if (self->route->target)
        explain_line(
            self, "", "as %s, with the client's query", explain_value(self, member(self, "pass")));
    else
        explain_line(self, "",
            self->route->request.parameters.count
                ? "path as it came, and the query but for what is said here"
                : "path and query as they came");
    say_changes(self, "request header fields", &self->route->request.fields);
    say_changes(self, "query parameters", &self->route->request.parameters);
    explain_line(self, "", "%s without a sign of the service is a timeout",
        quantity_duration(self->arena, timeout_ms));
    explain_failures(self);
    explain_line(self, "Reply", "the service's, streamed");
    say_changes(self, "header fields", &self->route->fields);
}

static void say_redirect(struct explanation *self)
{
    explain_line(self, "Reply", "%d: to %s%s", self->route->status,
        explain_value(self, member(self, "redirect")),
        self->route->keeps_query ? ", with the client's query" : "");
    say_changes(self, "header fields", &self->route->fields);
}

/* Its line ends end comments. */
static void say_program(struct explanation *self, uint32_t node)
{
    struct str text = json_string(&self->config->json, node, self->arena);
    while (text.len && text.at[text.len - 1] == '\n')
        text.len--;
    if (!str_has(text, '\n')) {
        explain_line(self, "", "through jq: %s", shortened(self->arena, text));
        return;
    }
    explain_line(self, "", "through jq:");
    while (text.len) {
        const char *line = shortened(self->arena, str_take(&text, '\n'));
        if (*line)
            explain_line(self, "", "  %s", line);
    }
}

static void say_reply(struct explanation *self)
{
    uint32_t status = member(self, "status"), reply = member(self, "reply");
    uint32_t program = member(self, "jq");
    const char *replies = self->route->call_count ? "all calls' replies" : "{}";
    const char *what = reply == JSON_NONE ? replies : explain_value(self, reply);
    if (status == JSON_NONE)
        explain_line(self, "Reply", "%d: %s", self->route->status, what);
    else
        explain_line(self, "Reply", "%s: %s", explain_value(self, status), what);
    if (program != JSON_NONE)
        say_program(self, program);
    say_changes(self, "header fields", &self->route->fields);
}

static void say_compose(struct explanation *self)
{
    if (self->route->call_count || self->route->jq) {
        explain_calls(self);
        explain_failures(self);
    }
    say_reply(self);
}

static void say_health(struct explanation *self)
{
    for (unsigned i = 0; i < self->config->upstream_count; i++) {
        const struct upstream *upstream = &self->config->upstreams[i];
        explain_line(self, i ? "" : "Calls", "%.*s GET %s, within %s", (int)upstream->name.len,
            upstream->name.at, upstream->health_path,
            quantity_duration(self->arena, upstream->health_timeout_ms));
    }
    explain_line(self, "Failures", "a service that does not answer 2xx makes the reply a 503");
    explain_line(self, "Reply", "200: the state of the gateway and of every upstream");
    say_changes(self, "header fields", &self->route->fields);
}

/* Of the defaults' `cache` each route takes over as much as concerns it: see sharing.c. */
static bool can_keep(const struct explanation *self)
{
    struct str methods = self->route->line;
    methods = str_take(&methods, ' ');
    return self->route->cache.keeps == CACHE_ON && self->config->cache_bytes > 0 &&
           !self->route->needs_body && memmem(methods.at, methods.len, "GET", 3);
}

static void say_kept(struct explanation *self)
{
    const struct freshness_setting *setting = &self->route->cache.setting;
    struct buf text;
    if (self->route->cache.for_one)
        explain_line(self, "Kept", "nothing, nor shared by requests at the same time: %s",
            shortened(self->arena, str_of(self->route->cache.for_one)));
    if (!can_keep(self))
        return;
    buf_init(&text, self->arena);
    if (setting->ttl_ms)
        buf_printf(&text, "replies to GET for %s where the service says nothing else",
            quantity_duration(self->arena, setting->ttl_ms));
    else
        buf_text(&text, "replies to GET as long as the service says");
    if (setting->stale_ms)
        buf_printf(&text, ", stale for %s more", quantity_duration(self->arena, setting->stale_ms));
    explain_line(self, "Kept", "%s", buf_as_text(&text));
}

static void say_answer(struct explanation *self)
{
    switch (self->route->kind) {
    case ROUTE_PASS:
        say_pass(self);
        say_kept(self);
        break;
    case ROUTE_REDIRECT:
        say_redirect(self);
        break;
    case ROUTE_COMPOSE:
        say_compose(self);
        say_kept(self);
        break;
    case ROUTE_HEALTH:
        say_health(self);
        break;
    case ROUTE_OPENAPI:
        explain_line(self, "Reply", "200: the description of all routes, OpenAPI 3.1");
        say_changes(self, "header fields", &self->route->fields);
        break;
    }
}

/* --- no route --- */

/* What other methods of the path there are, with their routes. */
static void say_other_methods(struct explanation *self, struct str path, unsigned allow)
{
    static const char *const methods[METHOD_COUNT] = { "GET", "HEAD", "POST", "PUT", "PATCH",
        "DELETE", "OPTIONS" };
    struct buf list;
    buf_init(&list, self->arena);
    route_allow(&list, allow);
    explain_line(self, "Route", "none for this method: 405, Allow: %s", buf_as_text(&list));
    const struct route *last = NULL;
    for (unsigned i = 0; i < METHOD_COUNT; i++) {
        struct route_match match;
        if (!(allow >> i & 1) ||
            router_find(self->config->router, methods[i], path, self->arena, &match) !=
                ROUTE_FOUND ||
            match.target == last)
            continue;
        last = match.target;
        explain_line(self, "", "the path has %.*s", (int)last->line.len, last->line.at);
    }
}

static unsigned segments(struct str path)
{
    unsigned count = 0;
    for (; path.len; str_take(&path, '/'))
        count++;
    return count;
}

/* How near a path is to a pattern: by how many segments it begins as that does, and then by whether
 * it is as long. 0: not at all. */
static unsigned nearness(struct str pattern, struct str path)
{
    unsigned same = 0, is_as_long = segments(pattern) == segments(path);
    str_take(&pattern, '/');
    str_take(&path, '/');
    while (pattern.len && path.len) {
        struct str segment = str_take(&pattern, '/');
        if (!str_eq(segment, str_take(&path, '/')) && !str_has(segment, '{'))
            break;
        same++;
    }
    return same ? 2 * same + is_as_long : 0;
}

/* The routes that come nearest. */
static void say_near_routes(struct explanation *self, struct str path)
{
    unsigned most = 0;
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < self->config->route_count; i++) {
            struct str line = self->config->routes[i].line, pattern = line;
            str_take(&pattern, ' ');
            unsigned near = nearness(pattern, path);
            if (pass == 0)
                most = near > most ? near : most;
            else if (most && near == most)
                explain_line(self, "", "near it is %.*s", (int)line.len, line.at);
        }
}

static int say_route_and_answer(
    struct explanation *self, const char *file, const struct route_match *match)
{
    uint32_t routes = json_member(&self->config->json, 0, STR("routes"));
    self->route = match->target;
    self->match = match;
    self->node = json_member(&self->config->json, routes, self->route->line);
    say_route(self, file, match);
    say_guards(self);
    say_answer(self);
    return 0;
}

/* Says what is no request that could be sent. */
static bool is_request(struct str method, struct str target)
{
    if (method.len == 0 || target.len == 0 || *target.at != '/')
        fprintf(stderr, "a request is a method, a space and a path, such as 'GET /users/1'\n");
    else if (pattern_method(method) == METHOD_COUNT)
        fprintf(stderr,
            "'%.*s' is no method (known are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS)\n",
            (int)method.len, method.at);
    else if (str_has(target, ' '))
        fprintf(stderr,
            "a path has no space: write %%20 for one, and nothing behind the path, such "
            "as 'GET /users/1'\n");
    else
        return true;
    return false;
}

/* "%0A" and what else is a control character behind a percent sign. */
static bool is_encoded_control(struct str rest)
{
    bool is_encoded = rest.len > 2 && *rest.at == '%' && isxdigit((unsigned char)rest.at[2]);
    return is_encoded && (rest.at[1] == '0' || rest.at[1] == '1' ||
                             (rest.at[1] == '7' && tolower((unsigned char)rest.at[2]) == 'f'));
}

/* What the web server answers before the gateway sees it: lighttpd/common.conf,
 * server.http-parseopts. Segments of dots are the router's to find, too. */
static bool is_refused_before(struct str target, struct str path)
{
    for (size_t i = 0; i < target.len; i++)
        if (iscntrl((unsigned char)target.at[i]) ||
            is_encoded_control((struct str){ target.at + i, target.len - i }))
            return true;
    return memmem(path.at, path.len, "//", 2) != NULL;
}

int explain_print(const struct config *config, const char *file, const char *request,
    struct arena *arena, FILE *out)
{
    struct explanation self = { .config = config, .arena = arena, .out = out };
    struct str rest = str_of(request), method = str_take(&rest, ' '), target = rest;
    struct str path = str_take(&rest, '?');
    struct route_match match;
    if (!is_request(method, target))
        return 2;
    fprintf(out, "%s\n\n", request);
    if (is_refused_before(target, path)) {
        explain_line(
            &self, "Route", "none: 400, lighttpd refuses '//' in a path, and control characters");
        return 1;
    }
    switch (router_find(
        config->router, arena_copy(arena, method.at, method.len), path, arena, &match)) {
    case ROUTE_FOUND:
        return say_route_and_answer(&self, file, &match);
    case ROUTE_NO_METHOD:
        say_other_methods(&self, path, match.allow);
        return 1;
    case ROUTE_BAD_PATH:
        explain_line(&self, "Route", "none: 400, the path is not a valid one");
        return 1;
    case ROUTE_NO_PATH:
        explain_line(&self, "Route", "none has this path: 404");
        say_near_routes(&self, path);
    }
    return 1;
}
