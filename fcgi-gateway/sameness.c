/* sameness: which requests may get the same reply.
 *
 * A composed reply depends on what its route refers to and on nothing else. A passed-through one
 * may depend on all that the service gets: its query, its host, and header fields that the service
 * is to name in Vary.
 */
#include "sameness.h"
#include "field_text.h"
#include "lib/uri.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Of requests at the same time: what tells people apart. */
static const char *const telling[] = { "Authorization", "Cookie", "Accept", "Accept-Encoding",
    "Accept-Language" };

/* With its length, so that no two lists of parts look the same; what is missing is not empty. */
static void add_part(struct buf *key, struct str part)
{
    if (!part.at) {
        buf_char(key, '-');
        return;
    }
    buf_int(key, (long long)part.len);
    buf_char(key, ':');
    buf_str(key, part);
}

static void add_field(struct buf *key, const struct request *request, const char *name)
{
    add_part(key, str_of(request_header(request, name)));
}

static void add_inputs(
    struct buf *key, const struct request *request, const struct reference_input *inputs)
{
    for (; inputs; inputs = inputs->next) {
        const char *name = arena_copy(request->arena, inputs->name.at, inputs->name.len);
        struct str value = { NULL, 0 };
        if (inputs->root == REFERENCE_HEADER)
            add_field(key, request, name);
        else if (inputs->root == REFERENCE_QUERY) {
            uri_parameter(request->query, name, request->arena, &value);
            add_part(key, value);
        }
    }
}

struct str sameness_path(const struct request *request)
{
    return uri_one_spelling(request->path, request->arena);
}

/* By the path as it was written: a service may answer otherwise where it is written otherwise. */
struct cache_key sameness_key(
    const struct request *request, const struct route *route, const struct config *config)
{
    struct buf key;
    buf_init(&key, request->arena);
    buf_add(&key, (const char *)&route->fingerprint, sizeof route->fingerprint);
    add_part(&key, route->line);
    add_part(&key, request->path);
    add_inputs(&key, request, route->inputs);
    add_inputs(&key, request, config->defaults.inputs);
    add_inputs(&key, request, config->defaults.request_inputs);
    if (route->kind == ROUTE_HEALTH) { /* which says its port, and nothing else of the request */
        add_part(&key, str_of(request_variable(request, "SERVER_PORT")));
        return (struct cache_key){ buf_as_str(&key), sameness_path(request) };
    }
    /* Services are told both, as X-Forwarded-Host and -Proto, and may make links of them. */
    add_field(&key, request, "Host");
    add_part(&key, str_of(request_variable(request, "REQUEST_SCHEME")));
    if (route->kind == ROUTE_PASS)
        add_part(&key, request->has_query ? request->query : (struct str){ NULL, 0 });
    return (struct cache_key){ buf_as_str(&key), sameness_path(request) };
}

struct str sameness_flight_key(
    const struct request *request, const struct cache_key *key, unsigned purges)
{
    struct buf flight;
    buf_init(&flight, request->arena);
    buf_str(&flight, key->text);
    buf_int(&flight, purges);
    for (size_t i = 0; i < COUNT(telling); i++)
        add_field(&flight, request, telling[i]);
    return buf_as_str(&flight);
}

static bool tells(struct str name)
{
    for (size_t i = 0; i < COUNT(telling); i++)
        if (str_is_nocase(name, telling[i]))
            return true;
    return str_is_nocase(name, "Host"); /* in the key already */
}

bool sameness_is_told(struct str vary)
{
    struct str name;
    while (field_text_member(&vary, &name))
        if (!tells(name))
            return false;
    return true;
}

struct str sameness_vary_values(const struct request *request, struct str vary)
{
    struct buf values;
    struct str name;
    buf_init(&values, request->arena);
    while (field_text_member(&vary, &name)) {
        add_field(&values, request, arena_copy(request->arena, name.at, name.len));
        if (str_is_nocase(name, "X-Forwarded-For")) /* to which the gateway adds this one */
            add_part(&values, str_of(request_variable(request, "REMOTE_ADDR")));
        buf_char(&values, '\n');
    }
    return buf_as_str(&values);
}

bool sameness_fits(void *context, const struct stored *stored)
{
    const struct sameness *same = context;
    const struct freshness *freshness = &stored->freshness;
    if (same->has_authorization && !freshness->is_for_all)
        return false;
    if (same->has_cookie && !freshness->is_for_all && !freshness->is_said)
        return false;
    return stored->vary.len == 0 ||
           str_eq(stored->vary_values, sameness_vary_values(same->request, stored->vary));
}
