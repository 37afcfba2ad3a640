/* upstream_plan: the services behind the gateway, as the file says them.
 *
 * Knows what may be written about a service and a server; knows nothing of how calls are made.
 */
#include "upstream_plan.h"
#include "config.h"
#include "host.h"

#define SOCKET_PATH_MAX 107 /* what struct sockaddr_un has room for, and a NUL */

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* "http://host:port" or "unix:path". */
static void set_address(
    struct settings *settings, uint32_t node, struct address *address, struct str text)
{
    const char *server = arena_copy(settings->arena, text.at, text.len);
    address->text = text;
    if (strncmp(server, "unix:", 5) == 0 && server[5]) {
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

static void read_servers(struct settings *settings, uint32_t node, void *target)
{
    const struct json_node *list = &settings->json.nodes[node];
    struct upstream *upstream = target;
    struct str text;
    upstream->servers = arena_zero(settings->arena, sizeof *upstream->servers);
    upstream->server_count = 1;
    if (list->type != JSON_ARRAY || list->count != 1)
        setting_mistake(settings, node, "'servers' is an array of one server");
    else if (setting_text(settings, node + 1, &text))
        set_address(settings, node + 1, upstream->servers, text);
}

static void read_timeout(struct settings *settings, uint32_t node, void *target)
{
    setting_duration(settings, node, &((struct upstream *)target)->timeout_ms);
}

static void read_title(struct settings *settings, uint32_t node, void *target)
{
    setting_name(settings, node, &((struct upstream *)target)->title);
}

static void read_health_path(struct settings *settings, uint32_t node, void *target)
{
    struct str text;
    if (!setting_text(settings, node, &text))
        return;
    if (text.len == 0 || *text.at != '/')
        setting_mistake(settings, node, "a path starts with '/'");
    else
        setting_target(settings, node, text);
    ((struct upstream *)target)->health_path = arena_copy(settings->arena, text.at, text.len);
}

static void read_health_timeout(struct settings *settings, uint32_t node, void *target)
{
    setting_duration(settings, node, &((struct upstream *)target)->health_timeout_ms);
}

static void read_health_name(struct settings *settings, uint32_t node, void *target)
{
    setting_name(settings, node, &((struct upstream *)target)->health_name);
}

static void read_health(struct settings *settings, uint32_t node, void *target)
{
    static const struct setting known[] = {
        { "path", false, read_health_path },
        { "timeout", false, read_health_timeout },
        { "name", false, read_health_name },
    };
    setting_object(settings, node, known, COUNT(known), target);
}

static void read_upstream(struct settings *settings, uint32_t name, uint32_t value, void *target)
{
    static const struct setting known[] = {
        { "servers", true, read_servers },
        { "timeout", false, read_timeout },
        { "title", false, read_title },
        { "health", false, read_health },
    };
    struct config *config = target;
    struct upstream *upstream = &config->upstreams[config->upstream_count++];
    struct str text = json_string(&settings->json, name, settings->arena);
    *upstream = (struct upstream){
        .name = text,
        .title = text,
        .timeout_ms = 5000,
        .health_path = "/health",
        .health_timeout_ms = 2000,
        .health_name = text,
    };
    if (!setting_is_word(text, ":/{}"))
        setting_mistake(
            settings, name, "an upstream's name is one word without ' ', ':', '/', '{', '}'");
    setting_object(settings, value, known, COUNT(known), upstream);
}

/* Where the upstream's name in the health reply is said: there, or by its own name. */
static uint32_t health_name_node(struct settings *settings, uint32_t upstreams, struct str upstream)
{
    uint32_t value = json_member(&settings->json, upstreams, upstream);
    uint32_t health = json_member(&settings->json, value, STR("health"));
    uint32_t name = json_member(&settings->json, health, STR("name"));
    return name == JSON_NONE ? value - 1 : name;
}

/* They are members of one object: `gateway` and `overall_status` are there already. */
static void check_health_names(struct settings *settings, uint32_t node, struct config *config)
{
    for (unsigned i = 0; i < config->upstream_count; i++) {
        struct str name = config->upstreams[i].health_name;
        bool is_taken = str_is(name, "gateway") || str_is(name, "overall_status");
        for (unsigned j = 0; j < i; j++)
            is_taken |= str_eq(name, config->upstreams[j].health_name);
        if (is_taken)
            setting_mistake(settings, health_name_node(settings, node, config->upstreams[i].name),
                "two members of the health reply have the name '%.*s' (give one a 'name' in its "
                "'health')",
                (int)name.len, name.at);
    }
}

void upstream_plans_read(struct settings *settings, uint32_t node, void *target)
{
    struct config *config = target;
    size_t count = settings->json.nodes[node].count;
    config->upstreams = arena_zero(settings->arena, count * sizeof *config->upstreams);
    setting_each(settings, node, read_upstream, config);
    check_health_names(settings, node, config);
}
