/* cors: pages of other origins may read what the file lets them.
 *
 * Nothing is refused here: a browser keeps a reply from a page that it does not name, and whoever
 * is no browser sends what Origin it likes. So this protects people who use browsers, not services.
 */
#include "cors.h"
#include <ctype.h>
#include "lib/pattern.h"

/* "https://a.b.example.com" where the pattern has a star for "a.b". What it stands for is made of
 * what host names are made of, so that nothing else can hide in there. */
static bool is_below(struct str pattern, struct str origin)
{
    const char *star = memchr(pattern.at, '*', pattern.len);
    if (origin.len < pattern.len)
        return false;
    size_t before = (size_t)(star - pattern.at), behind = pattern.len - before - 1;
    size_t names = origin.len - before - behind;
    if (memcmp(origin.at, pattern.at, before) != 0 ||
        memcmp(origin.at + origin.len - behind, star + 1, behind) != 0 || origin.at[before] == '.')
        return false;
    for (size_t i = before; i < before + names; i++)
        if (!isalnum((unsigned char)origin.at[i]) && !strchr("-._", origin.at[i]))
            return false;
    return true;
}

static bool is_meant(struct str pattern, struct str origin)
{
    return str_has(pattern, '*') ? is_below(pattern, origin) : str_eq(pattern, origin);
}

bool cors_allows(const struct cors_plan *plan, const char *origin)
{
    if (plan->is_for_all)
        return true;
    for (unsigned i = 0; i < plan->origin_count; i++)
        if (is_meant(plan->origins[i], str_of(origin)))
            return true;
    return false;
}

static void add_list(struct reply *reply, const char *name, struct str value)
{
    if (value.len)
        reply_lasting_field(reply, name, value);
}

/* Where every origin is allowed the reply is the same for all, with or without an Origin: caches
 * need not keep it once for each. */
static void add_origin(struct reply *reply, const struct cors_plan *plan, const char *origin)
{
    if (plan->is_for_all)
        reply_lasting_field(reply, "Access-Control-Allow-Origin", STR("*"));
    else if (cors_allows(plan, origin))
        reply_lasting_field(reply, "Access-Control-Allow-Origin", str_of(origin));
    if (plan->has_credentials && cors_allows(plan, origin))
        reply_lasting_field(reply, "Access-Control-Allow-Credentials", STR("true"));
}

static void add_to_reply(struct reply *reply, const struct cors_plan *plan, const char *origin)
{
    add_origin(reply, plan, origin);
    if (cors_allows(plan, origin))
        add_list(reply, "Access-Control-Expose-Headers", plan->expose);
    if (!plan->is_for_all)
        reply_lasting_field(reply, "Vary", STR("Origin"));
}

/* The CORS of the route that this path has for `method`, or NULL. */
static const struct cors_plan *plan_of(
    const struct request *request, const struct config *config, const char *method)
{
    struct route_match match;
    if (router_find(config->router, method, request->path, request->arena, &match) != ROUTE_FOUND)
        return NULL;
    return ((const struct route *)match.target)->cors;
}

/* A browser keeps the answer for the whole path. So it names the methods for which it holds, not
 * those with another CORS or none. */
static unsigned methods_like(const struct request *request, const struct config *config,
    unsigned allow, const struct cors_plan *plan)
{
    unsigned methods = 0;
    for (unsigned method = 0; method < METHOD_COUNT; method++)
        if (allow >> method & 1 &&
            cors_plan_is_same(plan_of(request, config, pattern_method_name(method)), plan))
            methods |= 1u << method;
    return methods;
}

static void answer_preflight(
    struct reply *reply, const struct cors_plan *plan, const char *origin, unsigned methods)
{
    struct buf list;
    buf_init(&list, reply->request->arena);
    route_allow(&list, methods);
    reply_lasting_field(reply, "Vary", STR("Origin, Access-Control-Request-Method"));
    if (!cors_allows(plan, origin))
        return;
    add_origin(reply, plan, origin);
    reply_lasting_field(reply, "Access-Control-Allow-Methods", buf_as_str(&list));
    add_list(reply, "Access-Control-Allow-Headers", plan->headers);
    add_list(reply, "Access-Control-Max-Age", plan->max_age);
}

bool cors_answers(struct request *request, struct reply *reply, const struct config *config,
    const struct route_match *match)
{
    const char *origin = request_header(request, "Origin");
    const char *asked = request_header(request, "Access-Control-Request-Method");
    const struct cors_plan *plan = NULL;
    if (origin && asked && strcmp(request->method, "OPTIONS") == 0)
        plan = plan_of(request, config, asked);
    if (plan) {
        answer_preflight(reply, plan, origin, methods_like(request, config, match->allow, plan));
        return true;
    }
    const struct route *route = match->target;
    plan = route ? route->cors : config->defaults.cors;
    if (plan)
        add_to_reply(reply, plan, origin);
    return false;
}
