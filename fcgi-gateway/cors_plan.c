/* cors_plan: which pages of other origins may read a route's replies, as the file says it.
 *
 * An origin that could never be equal to what a browser sends (a path behind it, capitals, the
 * scheme's own port) is a mistake: it would look allowed and not be.
 */
#include "cors_plan.h"
#include <ctype.h>
#include "host.h"
#include "lib/buf.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_lower_or(char c, const char *others)
{
    return islower((unsigned char)c) || (c && strchr(others, c));
}

/* Takes "scheme://" off the front; false where there is none. RFC 3986 section 3.1. */
static bool take_scheme(struct str *origin, struct str *scheme)
{
    const char *end = memmem(origin->at, origin->len, "://", 3);
    *scheme = (struct str){ origin->at, end ? (size_t)(end - origin->at) : 0 };
    for (size_t i = 0; i < scheme->len; i++)
        if (!is_lower_or(scheme->at[i], i ? "0123456789+-." : ""))
            return false;
    if (scheme->len == 0)
        return false;
    *origin = (struct str){ end + 3, origin->len - scheme->len - 3 };
    return true;
}

/* "example.com", "[::1]", and, where it is written in front, "*." for all names below. */
static bool is_host(struct str host)
{
    bool is_ip6 = host.len > 0 && *host.at == '[';
    if (host.len > 2 && memcmp(host.at, "*.", 2) == 0)
        host = (struct str){ host.at + 2, host.len - 2 };
    for (size_t i = 0; i < host.len; i++)
        if (!is_lower_or(host.at[i], is_ip6 ? "0123456789[:]." : "0123456789-._"))
            return false;
    return host_is_good(host);
}

/* Nothing, or a number that the scheme does not have anyway. */
static const char *wrong_port(struct str port, struct str scheme)
{
    if (!host_is_port(port) || *port.at == '0')
        return HOST_WRONG_PORT;
    if ((str_is(port, "80") && str_is(scheme, "http")) ||
        (str_is(port, "443") && str_is(scheme, "https")))
        return "browsers leave out the port that the scheme has anyway";
    return NULL;
}

/* NULL, or what is wrong with one origin (WHATWG HTML, "ASCII serialization of an origin"). */
static const char *wrong_origin(struct str origin)
{
    static const char shape[] =
        "write \"https://shop.example\", \"https://*.shop.example\", \"null\" or \"*\"";
    struct str scheme, host, port;
    if (str_is(origin, "null"))
        return NULL;
    if (!take_scheme(&origin, &scheme))
        return shape;
    bool has_port = host_split(origin, &host, &port);
    if (!is_host(host))
        return shape;
    return has_port ? wrong_port(port, scheme) : NULL;
}

static bool expect_texts(struct settings *settings, uint32_t node, const char *what)
{
    const struct json_node *nodes = settings->json.nodes;
    if (nodes[node].type == JSON_ARRAY && nodes[node].count > 0)
        return true;
    setting_mistake(settings, node, "write an array of %s", what);
    return false;
}

static void read_origins(struct settings *settings, uint32_t node, void *target)
{
    struct cors_plan *plan = target;
    const struct json_node *nodes = settings->json.nodes;
    if (!expect_texts(settings, node, "origins: [\"https://shop.example\"]"))
        return;
    plan->origins = arena_alloc(settings->arena, nodes[node].count * sizeof *plan->origins);
    for (uint32_t child = node + 1; child < nodes[node].next; child = nodes[child].next) {
        struct str text;
        if (!setting_text(settings, child, &text))
            continue;
        plan->origins[plan->origin_count++] = text;
        if (str_is(text, "*")) {
            plan->is_for_all = true;
            if (nodes[node].count > 1)
                setting_mistake(settings, child, "'*' is every origin: it stands alone");
            continue;
        }
        const char *wrong = wrong_origin(text);
        if (wrong)
            setting_mistake(
                settings, child, "'%.*s' is no origin: %s", (int)text.len, text.at, wrong);
    }
}

/* ["Content-Type", "X-A"] as "Content-Type, X-A". */
static struct str read_names(struct settings *settings, uint32_t node)
{
    const struct json_node *nodes = settings->json.nodes;
    struct buf list;
    buf_init(&list, settings->arena);
    if (!expect_texts(settings, node, "header fields: [\"Content-Type\"]"))
        return (struct str){ NULL, 0 };
    for (uint32_t child = node + 1; child < nodes[node].next; child = nodes[child].next) {
        struct str text;
        if (!setting_text(settings, child, &text))
            continue;
        if (!field_plan_is_token(text)) {
            setting_mistake(settings, child, "this is no name of a header field");
            continue;
        }
        if (list.len)
            buf_text(&list, ", ");
        buf_str(&list, text);
    }
    return (struct str){ buf_as_text(&list), list.len };
}

static void read_headers(struct settings *settings, uint32_t node, void *target)
{
    ((struct cors_plan *)target)->headers = read_names(settings, node);
}

static void read_expose(struct settings *settings, uint32_t node, void *target)
{
    ((struct cors_plan *)target)->expose = read_names(settings, node);
}

static void read_credentials(struct settings *settings, uint32_t node, void *target)
{
    enum json_type type = settings->json.nodes[node].type;
    if (type != JSON_TRUE && type != JSON_FALSE)
        setting_mistake(settings, node, "expected true or false, not %s", json_type_name(type));
    ((struct cors_plan *)target)->has_credentials = type == JSON_TRUE;
}

static void read_max_age(struct settings *settings, uint32_t node, void *target)
{
    int duration_ms;
    struct buf text;
    if (!setting_duration(settings, node, &duration_ms))
        return;
    if (duration_ms < 1000)
        setting_mistake(settings, node, "browsers count whole seconds: write \"1s\" or more");
    buf_init(&text, settings->arena);
    buf_int(&text, duration_ms / 1000);
    ((struct cors_plan *)target)->max_age = buf_as_str(&text);
}

/* Is "*" one of "Content-Type, *"? */
static bool has_star(struct str list)
{
    while (list.len) {
        struct str name = str_take(&list, ',');
        if (name.at[name.len - 1] == '*' && (name.len == 1 || name.at[name.len - 2] == ' '))
            return true;
    }
    return false;
}

/* With credentials browsers take no wildcard for one (Fetch standard, "CORS protocol and
 * credentials"). */
static void check_credentials(
    struct settings *settings, uint32_t node, const struct cors_plan *plan)
{
    if (!plan->has_credentials)
        return;
    if (plan->is_for_all)
        setting_mistake(settings, node,
            "'credentials' does not go with the origin '*': name the origins that are trusted");
    if (has_star(plan->headers) || has_star(plan->expose))
        setting_mistake(settings, node,
            "with 'credentials' browsers take '*' for a name: name the header fields");
}

const struct cors_plan *cors_plan_read(struct settings *settings, uint32_t node)
{
    static const struct setting known[] = {
        { "origins", true, read_origins },
        { "headers", false, read_headers },
        { "expose", false, read_expose },
        { "credentials", false, read_credentials },
        { "max_age", false, read_max_age },
    };
    if (settings->json.nodes[node].type == JSON_NULL)
        return NULL;
    struct cors_plan *plan = arena_zero(settings->arena, sizeof *plan);
    if (setting_object(settings, node, known, COUNT(known), plan))
        check_credentials(settings, node, plan);
    return plan;
}

bool cors_plan_is_same(const struct cors_plan *a, const struct cors_plan *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->origin_count != b->origin_count ||
        a->has_credentials != b->has_credentials || !str_eq(a->headers, b->headers))
        return false;
    for (unsigned i = 0; i < a->origin_count; i++)
        if (!str_eq(a->origins[i], b->origins[i]))
            return false;
    return true;
}

bool cors_plan_has_field(const struct field_plan *field)
{
    return field->value && strncasecmp(field->name.at, "Access-Control-", 15) == 0;
}

/* The field of that name, where it always has that value; else NULL. */
static const struct field_plan *find_value(
    const struct field_plans *fields, const char *name, const char *value, struct arena *arena)
{
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field_plan *field = &fields->list[i];
        if (str_is_nocase(field->name, name))
            return field->value && !template_text_has_reference(field->value) &&
                           str_is(field_plan_value(field, NULL, arena), value)
                       ? field
                       : NULL;
    }
    return NULL;
}

bool cors_plan_is_refused(const struct field_plans *fields, struct arena *arena,
    const struct field_plan **origin, const struct field_plan **credentials)
{
    *origin = find_value(fields, "Access-Control-Allow-Origin", "*", arena);
    *credentials = find_value(fields, "Access-Control-Allow-Credentials", "true", arena);
    return *origin && *credentials;
}
