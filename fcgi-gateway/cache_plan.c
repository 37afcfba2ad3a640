/* cache_plan: what the file says about keeping and sharing a route's replies. */
#include "cache_plan.h"
#include "hash.h"
#include "lib/buf.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool read_duration(struct settings *settings, uint32_t node, struct str text, long long *ms)
{
    int duration_ms;
    if (!setting_duration_text(settings, node, text, &duration_ms))
        return false;
    *ms = duration_ms;
    return true;
}

/* "5s" or "5s stale 30s" */
static void read_text(struct settings *settings, uint32_t node, struct cache_plan *plan)
{
    struct str text, word;
    if (!setting_text(settings, node, &text))
        return;
    struct str rest = text;
    word = str_take(&rest, ' ');
    if (!read_duration(settings, node, word, &plan->setting.ttl_ms))
        return;
    if (rest.len == 0)
        return;
    word = str_take(&rest, ' ');
    if (!str_is(word, "stale") || rest.len == 0 || str_has(rest, ' '))
        setting_mistake(settings, node,
            "'%.*s' is not understood: write \"5s\" or \"5s stale 30s\"", (int)text.len, text.at);
    else
        read_duration(settings, node, rest, &plan->setting.stale_ms);
}

static void read_time(struct settings *settings, uint32_t node, long long *ms)
{
    int duration_ms;
    if (setting_duration(settings, node, &duration_ms))
        *ms = duration_ms;
}

static void read_ttl(struct settings *settings, uint32_t node, void *target)
{
    read_time(settings, node, &((struct cache_plan *)target)->setting.ttl_ms);
}

static void read_stale(struct settings *settings, uint32_t node, void *target)
{
    read_time(settings, node, &((struct cache_plan *)target)->setting.stale_ms);
}

void cache_plan_read(struct settings *settings, uint32_t node, struct cache_plan *plan)
{
    static const struct setting known[] = {
        { "ttl", false, read_ttl },
        { "stale", false, read_stale },
    };
    plan->keeps = CACHE_ON;
    switch (settings->json.nodes[node].type) {
    case JSON_NULL:
        plan->keeps = CACHE_OFF;
        break;
    case JSON_STRING:
        read_text(settings, node, plan);
        break;
    case JSON_OBJECT:
        setting_object(settings, node, known, COUNT(known), plan);
        break;
    default:
        setting_mistake(settings, node,
            "write how long replies are kept: \"5s\" or \"5s stale 30s\", or null for not at all");
    }
}

void cache_plan_read_coalesce(struct settings *settings, uint32_t node, struct cache_plan *plan)
{
    enum json_type type = settings->json.nodes[node].type;
    if (type != JSON_TRUE && type != JSON_FALSE)
        setting_mistake(settings, node, "expected true or false, not %s", json_type_name(type));
    plan->coalesces = type == JSON_TRUE ? CACHE_ON : CACHE_OFF;
}

void cache_plan_inherit(struct cache_plan *plan, const struct cache_plan *from)
{
    if (plan->keeps == CACHE_UNSAID) {
        plan->keeps = from->keeps;
        plan->setting = from->setting;
    }
    if (plan->coalesces == CACHE_UNSAID)
        plan->coalesces = from->coalesces;
}

/* "Cache-Control: no-store", or NULL where the field leaves it open. */
static const char *for_one(const struct field_plan *field, struct arena *arena)
{
    static const struct reference_values nothing;
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, "%s: ", field->name.at);
    size_t name_len = text.len;
    if (!field->value)
        return NULL;
    if (str_is_nocase(field->name, "Set-Cookie"))
        return field->name.at;
    if (!str_is_nocase(field->name, "Cache-Control") || template_text_has_reference(field->value))
        return NULL;
    template_text_write(field->value, &nothing, &text);
    struct str value = { buf_as_text(&text) + name_len, text.len - name_len };
    return freshness_is_for_one(value) ? text.data : NULL;
}

/* What the route asks for and does not get. */
static void warn(struct settings *settings, uint32_t node, const char *key, enum json_type unless,
    const char *for_one)
{
    const struct json *json = &settings->json;
    if (json->nodes[node].type != JSON_OBJECT)
        return;
    uint32_t value = json_member(json, node, str_of(key));
    if (value != JSON_NONE && json->nodes[value].type != unless)
        mistake_warn(settings->mistakes, json->nodes[value - 1].start,
            "'%s' does nothing here: 'headers' say '%s', so each reply is for one client", key,
            for_one);
}

void cache_plan_heed_fields(struct settings *settings, uint32_t node, struct cache_plan *plan,
    const struct field_plans *fields)
{
    for (unsigned i = 0; i < fields->count && !plan->for_one; i++)
        plan->for_one = for_one(&fields->list[i], settings->arena);
    if (!plan->for_one)
        return;
    plan->keeps = plan->coalesces = CACHE_OFF;
    warn(settings, node, "cache", JSON_NULL, plan->for_one);
    warn(settings, node, "coalesce", JSON_FALSE, plan->for_one);
}

void cache_plan_settle(struct cache_plan *plan, bool is_composed)
{
    if (plan->coalesces == CACHE_UNSAID)
        plan->coalesces = is_composed || plan->keeps == CACHE_ON ? CACHE_ON : CACHE_OFF;
}

uint64_t cache_plan_fingerprint(struct settings *settings, uint32_t node)
{
    static const struct hash_seed seed = { 0, 0 }; /* nobody but the file's author chooses it */
    static const char *const elsewhere[] = { "name", "upstreams", "errors", "defaults" };
    struct buf text;
    buf_init(&text, settings->arena);
    buf_str(&text, json_raw(&settings->json, node));
    for (unsigned i = 0; i < COUNT(elsewhere); i++) {
        uint32_t member = json_member(&settings->json, 0, str_of(elsewhere[i]));
        buf_char(&text, '\n');
        if (member != JSON_NONE)
            buf_str(&text, json_raw(&settings->json, member));
    }
    return hash_text(seed, buf_as_str(&text));
}
