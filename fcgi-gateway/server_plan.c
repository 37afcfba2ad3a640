/* server_plan: the servers of an upstream, as the file says them.
 *
 * Knows what an address looks like; knows nothing of how one server is chosen.
 */
#include "server_plan.h"
#include "host.h"
#include "lib/text.h"

#define SOCKET_PATH_MAX 107 /* what struct sockaddr_un has room for, and a NUL */
#define WEIGHT_MAX 100      /* who needs more needs other servers */

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* "http://host:port" or "unix:path". A line end that came along from somewhere is a part of no
 * path, nor of a key (server_plan_read_balance). */
static void set_address(
    struct settings *settings, uint32_t node, struct address *address, struct str text)
{
    const char *server = arena_copy(settings->arena, text.at, text.len);
    address->text = text;
    if (strncmp(server, "unix:", 5) == 0 && server[5] && !text_has_control(text)) {
        if (strlen(server + 5) > SOCKET_PATH_MAX)
            setting_mistake(
                settings, node, "the path of a unix socket has at most %d bytes", SOCKET_PATH_MAX);
        address->socket_path = server + 5;
        address->url = "http://localhost/";
        return;
    }
    const char *scheme_end = strstr(server, "://");
    bool is_http = strncmp(server, "http://", 7) == 0 || strncmp(server, "https://", 8) == 0;
    struct str path = str_of(scheme_end ? scheme_end + 3 : server), host, port;
    bool has_port = host_split(str_take(&path, '/'), &host, &port);
    if (!is_http || !host_is_good(host) || str_has(port, '@') || path.len > 0) {
        setting_mistake(settings, node,
            "'%s' is no server (write \"http://host:port\" or \"unix:path\")", server);
        return;
    }
    if (has_port && !host_is_port(port))
        setting_mistake(settings, node, "'%s': " HOST_WRONG_PORT, server);
    address->url = server;
}

static void read_url(struct settings *settings, uint32_t node, void *target)
{
    struct str text;
    if (setting_text(settings, node, &text))
        set_address(settings, node, &((struct upstream_server *)target)->address, text);
}

static void read_weight(struct settings *settings, uint32_t node, void *target)
{
    setting_int(settings, node, 1, WEIGHT_MAX, &((struct upstream_server *)target)->weight);
}

static void read_drain(struct settings *settings, uint32_t node, void *target)
{
    setting_bool(settings, node, &((struct upstream_server *)target)->is_draining);
}

static void read_server(struct settings *settings, uint32_t node, struct upstream_server *server)
{
    static const struct setting known[] = {
        { "url", true, read_url },
        { "weight", false, read_weight },
        { "drain", false, read_drain },
    };
    *server = (struct upstream_server){ .weight = 1 };
    if (settings->json.nodes[node].type == JSON_OBJECT)
        setting_object(settings, node, known, COUNT(known), server);
    else
        read_url(settings, node, server);
}

/* What is known of a server is found by its address. */
static void check_is_new(struct settings *settings, uint32_t node, const struct upstream *upstream)
{
    struct str text = upstream->servers[upstream->server_count - 1].address.text;
    for (int i = 0; i < upstream->server_count - 1; i++)
        if (text.at && str_eq(upstream->servers[i].address.text, text)) {
            setting_mistake(settings, node,
                "the server '%.*s' stands here twice (give it a 'weight' instead)", (int)text.len,
                text.at);
            return;
        }
}

void server_plans_read(struct settings *settings, uint32_t node, void *target)
{
    const struct json_node *nodes = settings->json.nodes;
    struct upstream *upstream = target;
    if (nodes[node].type != JSON_ARRAY || nodes[node].count == 0) {
        setting_mistake(settings, node, "'servers' is an array of one server or more");
        return;
    }
    if (nodes[node].count > SERVERS_MAX) {
        setting_mistake(settings, node, "an upstream has at most %d servers", SERVERS_MAX);
        return;
    }
    upstream->servers = arena_zero(settings->arena, nodes[node].count * sizeof *upstream->servers);
    for (uint32_t item = node + 1; item < nodes[node].next; item = nodes[item].next) {
        read_server(settings, item, &upstream->servers[upstream->server_count++]);
        check_is_new(settings, item, upstream);
    }
}

/* "hash {header.X-User}": what stands behind the first word. */
static void read_hash(
    struct settings *settings, uint32_t node, struct str text, struct upstream *upstream)
{
    struct reference_scope scope = { .pattern = STR("") };
    str_take(&text, ' ');
    upstream->balance.kind = BALANCE_HASH;
    upstream->balance_key = template_text_new(settings, node, text, &scope);
    if (scope.uses_body)
        setting_mistake(
            settings, node, "{body...} is not known here: {header.NAME} and {query.NAME} are");
    else if (!template_text_has_reference(upstream->balance_key))
        setting_mistake(settings, node, "a hash of what? (write \"hash {header.X-User}\")");
}

void server_plan_read_balance(struct settings *settings, uint32_t node, void *target)
{
    struct upstream *upstream = target;
    struct str text, first;
    if (!setting_template_text(settings, node, &text))
        return;
    first = text;
    if (memchr(text.at, ' ', text.len))
        first.len = (size_t)((const char *)memchr(text.at, ' ', text.len) - text.at);
    if (str_is(text, "least_time"))
        upstream->balance.kind = BALANCE_LEAST_TIME;
    else if (str_is(text, "round_robin"))
        upstream->balance.kind = BALANCE_ROUND_ROBIN;
    else if (str_is(first, "hash") && !text_has_control(text))
        read_hash(settings, node, text, upstream);
    else
        setting_mistake(settings, node,
            "'%.*s' is no way to balance (write \"least_time\", \"round_robin\" or "
            "\"hash {header.X-User}\")",
            (int)text.len, text.at);
}
