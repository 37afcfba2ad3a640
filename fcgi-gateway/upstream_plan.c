/* upstream_plan: the services behind the gateway, as the file says them.
 *
 * Knows what may be written about a service; knows nothing of how calls are made.
 */
#include "upstream_plan.h"
#include "config.h"
#include "guard_plan.h"
#include "server_plan.h"

#define CHECKS_MAX 100 /* in a row; more would take too long to mean anything */

#define COUNT(array) (sizeof(array) / sizeof *(array))

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

static void read_health_interval(struct settings *settings, uint32_t node, void *target)
{
    setting_duration(settings, node, &((struct upstream *)target)->check_interval_ms);
}

static void read_fall(struct settings *settings, uint32_t node, void *target)
{
    setting_int(settings, node, 1, CHECKS_MAX, &((struct upstream *)target)->balance.servers.fall);
}

static void read_rise(struct settings *settings, uint32_t node, void *target)
{
    setting_int(settings, node, 1, CHECKS_MAX, &((struct upstream *)target)->balance.servers.rise);
}

static void read_health(struct settings *settings, uint32_t node, void *target)
{
    static const struct setting known[] = {
        { "path", false, read_health_path },
        { "timeout", false, read_health_timeout },
        { "name", false, read_health_name },
        { "interval", false, read_health_interval },
        { "fall", false, read_fall },
        { "rise", false, read_rise },
    };
    setting_object(settings, node, known, COUNT(known), target);
}

static void read_upstream(struct settings *settings, uint32_t name, uint32_t value, void *target)
{
    static const struct setting known[] = {
        { "servers", true, server_plans_read },
        { "timeout", false, read_timeout },
        { "title", false, read_title },
        { "health", false, read_health },
        { "balance", false, server_plan_read_balance },
        { "outlier", false, guard_plan_read_outlier },
        { "breaker", false, guard_plan_read_breaker },
        { "retry", false, guard_plan_read_retry },
        { "max_concurrent", false, guard_plan_read_concurrent },
        { "queue", false, guard_plan_read_queue },
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
    guard_plan_defaults(upstream);
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
