/* sharing: answers a request from the cache, or together with others like it, or by itself.
 *
 * The policy: what is fresh is sent, what is stale is sent while somebody asks, all else is asked
 * for, once for all who want the same at that time.
 */
#include "sharing.h"
#include "error_body.h"
#include "failure.h"
#include "fetch.h"
#include "field_text.h"
#include "lib/log.h"
#include "resend.h"
#include "revalidation.h"
#include "sameness.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* In the request's arena: a revalidation outlives the handler. */
struct sharing {
    struct fetch fetch;
    const struct route *route;
    struct freshness_wish wish;
    enum freshness_use use; /* of fetch.old */
    struct cache_key key;
    struct sameness same;
    struct cache_asker asker;
    struct coalesce_seat seat;
    long long came_us;
    bool has_cache;
};

/* --- what can be shared --- */

static bool is_safe(const char *method)
{
    static const char *const safe[] = { "GET", "HEAD", "OPTIONS", "TRACE" };
    for (size_t i = 0; i < COUNT(safe); i++)
        if (strcmp(method, safe[i]) == 0)
            return true;
    return false;
}

static bool has_any(const struct request *request, const char *const *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (request_header(request, fields[i]))
            return true;
    return false;
}

/* A field that Connection names stays here, so that the service does not see what its reply would
 * be kept under. */
static bool withholds_fields(const struct request *request)
{
    static const char *const usual[] = { "keep-alive", "close", "TE", "Upgrade", "HTTP2-Settings" };
    struct str list = str_of(request_header(request, "Connection")), name;
    while (field_text_member(&list, &name)) {
        size_t i = 0;
        while (i < COUNT(usual) && !str_is_nocase(name, usual[i]))
            i++;
        if (i == COUNT(usual))
            return true;
    }
    return false;
}

static bool keeps(const struct config *config, const struct route *route)
{
    return config->cache && route->kind != ROUTE_HEALTH && route->cache.keeps == CACHE_ON &&
           cache_reply_max(config->cache) > 0;
}

/* However many ask how the services are, each service is asked once at a time. */
static bool coalesces(const struct route *route)
{
    return route->kind == ROUTE_HEALTH || route->cache.coalesces == CACHE_ON;
}

static bool is_read(const struct request *request)
{
    return (request->is_head || strcmp(request->method, "GET") == 0) && request->body_length == 0;
}

/* A composed reply is always whole. A passed-through one may be a part, or only a "yes, still the
 * same", where the client asks for that; without a cache that is left to the service. */
static bool can_share(
    const struct request *request, const struct config *config, const struct route *route)
{
    static const char *const parts[] = { "Range", "If-Range", "If-Match", "If-Unmodified-Since" };
    static const char *const conditions[] = { "If-None-Match", "If-Modified-Since" };
    bool has_cache = keeps(config, route);
    if (!is_read(request) || route->needs_body || !(has_cache || coalesces(route)))
        return false;
    if (route->kind == ROUTE_COMPOSE || route->kind == ROUTE_HEALTH)
        return true;
    if (route->kind != ROUTE_PASS || has_any(request, parts, COUNT(parts)) ||
        withholds_fields(request))
        return false;
    return has_cache || !(request->is_head || has_any(request, conditions, COUNT(conditions)));
}

static struct sharing *begin(struct request *request, struct reply *reply,
    const struct config *config, const struct route_match *match,
    const struct sharing_route *answers)
{
    struct sharing *self = arena_zero(request->arena, sizeof *self);
    const struct route *route = self->route = match->target;
    bool is_pass = route->kind == ROUTE_PASS;
    self->came_us = request->arrived_us;
    self->has_cache = keeps(config, route);
    self->key = sameness_key(request, route, config);
    self->same = (struct sameness){ .request = request,
        .has_authorization = is_pass && request_header(request, "Authorization"),
        .has_cookie = is_pass && request_header(request, "Cookie") };
    self->asker = (struct cache_asker){ sameness_fits, &self->same };
    self->wish = freshness_wish(str_of(request_header(request, "Cache-Control")),
        str_of(request_header(request, "Pragma")));
    self->fetch = (struct fetch){
        .request = request,
        .reply = reply,
        .config = config,
        .match = match,
        .answer = answers->answer,
        .is_kept = self->has_cache && !self->wish.no_store,
        .key = self->has_cache ? &self->key : NULL,
        .asker = &self->asker,
        .forwarded = self->has_cache ? "miss" : NULL,
    };
    return self;
}

/* --- the cache --- */

static void release(void *stored)
{
    stored_release(stored);
}

/* Was it the client that did not want what is fresh? */
static const char *why_forwarded(const struct sharing *self, long long kept_ms)
{
    static const struct freshness_wish none = {
        .max_age_ms = -1, .min_fresh_ms = -1, .max_stale_ms = -1
    };
    bool is_fresh = freshness_use(&self->fetch.old->freshness, &none, kept_ms) == FRESHNESS_FRESH;
    return is_fresh ? "request" : "stale";
}

/* True where what is kept can be sent. */
static bool look_up(struct sharing *self)
{
    struct fetch *fetch = &self->fetch;
    fetch->mark = cache_mark(fetch->config->cache, self->key.path);
    fetch->old = cache_find(fetch->config->cache, &self->key, &self->asker);
    if (!fetch->old)
        return false;
    arena_at_end(fetch->request->arena, release, fetch->old);
    long long kept_ms = (log_clock_us() - fetch->old->arrived_us) / 1000;
    self->use = freshness_use(&fetch->old->freshness, &self->wish, kept_ms);
    if (self->use == FRESHNESS_STALE && self->wish.no_store)
        self->use = FRESHNESS_FALLBACK; /* what it brings must not be kept: it can as well wait */
    fetch->may_fall_back = self->use == FRESHNESS_FALLBACK;
    fetch->forwarded = why_forwarded(self, kept_ms);
    return self->use == FRESHNESS_FRESH || self->use == FRESHNESS_STALE;
}

static int send_stored(struct sharing *self, struct stored *stored, bool has_age, struct str words)
{
    return resend(self->fetch.reply, stored, has_age, self->fetch.config->name, words);
}

static int send_hit(struct sharing *self)
{
    struct stored *old = self->fetch.old;
    if (self->use == FRESHNESS_STALE)
        revalidation_plan(&self->fetch, old);
    return send_stored(
        self, stored_use(old), true, resend_hit(self->fetch.request, old, log_clock_us()));
}

/* --- others --- */

static int tell(struct sharing *self, struct error_values error)
{
    return error_reply(self->fetch.reply, &error);
}

static int timeout_ms(const struct route *route)
{
    if (route->timeout_ms)
        return route->timeout_ms;
    return route->kind == ROUTE_PASS ? route->upstream->timeout_ms : ROUTE_TIMEOUT_MS;
}

static int wait_ms(void *request)
{
    return request_client_wait_ms(request);
}

/* Its time is counted from its arrival, also where it has to ask itself in the end. Streamed
 * replies may take longer, while they move; who waited beyond its time for one of those gets time
 * to ask. */
static enum coalesce_role await(struct sharing *self)
{
    const struct fetch *fetch = &self->fetch;
    long long timeout_us = timeout_ms(self->route) * 1000LL;
    struct coalesce_client client = { request_client_fd(fetch->request), wait_ms, fetch->request };
    bool is_pass = self->route->kind == ROUTE_PASS;
    enum coalesce_role role =
        coalesce_wait(fetch->config->coalescer, &self->seat, is_pass ? timeout_us : 0, &client);
    if (is_pass && log_clock_us() >= self->seat.deadline_us) {
        fetch->request->arrived_us = log_clock_us();
        self->seat.deadline_us = fetch->request->arrived_us + timeout_us;
    }
    return role;
}

/* One that was kept before this request came is used as this client and the reply itself allow. */
static bool may_use_kept(const struct sharing *self, const struct stored *stored, bool is_instead)
{
    long long kept_ms = (log_clock_us() - stored->arrived_us) / 1000;
    enum freshness_use use = freshness_use(&stored->freshness, &self->wish, kept_ms);
    return use == FRESHNESS_FRESH || use == FRESHNESS_STALE ||
           (use == FRESHNESS_FALLBACK && is_instead);
}

/* Another one's reply, or an older one instead of it (`is_instead`): for this request too, if what
 * it varies by is the same. */
static int take_over(struct sharing *self, bool is_instead)
{
    struct request *request = self->fetch.request;
    struct sameness same = { .request = request };
    struct stored *stored = self->seat.reply;
    bool is_kept = is_instead || stored->arrived_us < self->came_us;
    bool is_same = sameness_fits(&same, stored);
    if (!is_same || (is_kept && !may_use_kept(self, stored, is_instead))) {
        stored_release(stored);
        if (!is_same)
            unshared_note(self->fetch.config->unshared, &self->fetch.place, log_clock_us());
        return fetch(&self->fetch);
    }
    struct str words = STR("fwd=miss; collapsed");
    if (is_instead)
        words = STR("fwd=stale; collapsed; detail=stale-if-error");
    else if (is_kept)
        words = resend_hit(request, stored, log_clock_us());
    buf_text(&request->log, "coalesced");
    return send_stored(self, stored, is_kept, words);
}

/* Somebody may have brought it between our look into the cache and the flight. */
static int lead(struct sharing *self, bool is_first)
{
    struct fetch *fetch_it = &self->fetch;
    fetch_it->seat = &self->seat;
    if (is_first && self->has_cache && !fetch_it->old && look_up(self)) {
        coalesce_land(fetch_it->config->coalescer, &self->seat, fetch_it->old);
        return send_hit(self);
    }
    return fetch(fetch_it);
}

/* How services are does not depend on who asks. A change keeps apart those before and after it: a
 * passed-through reply is that of its own path, a composed one may have parts of any. */
static struct str flight_key(const struct sharing *self)
{
    const struct fetch *fetch = &self->fetch;
    const struct cache *cache = fetch->config->cache;
    if (self->route->kind == ROUTE_HEALTH)
        return self->key.text;
    bool is_pass = self->route->kind == ROUTE_PASS;
    return sameness_flight_key(fetch->request, &self->key,
        is_pass ? cache_mark(cache, self->key.path) : cache_purges(cache));
}

/* Waits for others only where what they get is probably for this request too. */
static enum coalesce_role join(struct sharing *self)
{
    struct fetch *fetch = &self->fetch;
    const struct config *config = fetch->config;
    if (!config->coalescer || !coalesces(self->route))
        return COALESCE_ALONE;
    fetch->has_place = true;
    fetch->place = unshared_place(config->unshared, self->route->line, self->key.text);
    if (unshared_is_likely(config->unshared, &fetch->place, log_clock_us()))
        return COALESCE_ALONE;
    return coalesce_join(config->coalescer, flight_key(self),
        fetch->request->arrived_us + timeout_ms(self->route) * 1000LL, &self->seat);
}

static int share(struct sharing *self)
{
    const struct fetch *alone = &self->fetch;
    enum coalesce_role role = join(self), joined;
    joined = role;
    if (role == COALESCE_FOLLOWS)
        role = await(self);
    switch (role) {
    case COALESCE_SERVED:
        return take_over(self, false);
    case COALESCE_SERVED_OLD:
        return take_over(self, true);
    case COALESCE_LATE:
        return tell(self, failure_of_wait(self->route, CALL_TIMEOUT, timeout_ms(self->route),
                              alone->request->arena));
    case COALESCE_GONE:
        return tell(self, failure_of_client(&self->route->errors));
    case COALESCE_LEADS:
        return lead(self, joined == COALESCE_LEADS);
    default:
        return fetch(&self->fetch);
    }
}

/* --- changes --- */

struct change {
    struct reply_tap tap; /* first */
    struct cache *cache;
    struct str path;
};

/* RFC 9111 section 4.4: before the client knows that it succeeded, so that its next GET shows it.
 * Where a 5xx is told the service may have done it all the same. */
static int on_head(struct reply_tap *tap, struct reply *reply, int status)
{
    struct change *change = (struct change *)tap;
    (void)reply;
    if (status < 400 || status >= 500)
        cache_purge_path(change->cache, change->path);
    return status;
}

static void on_body(struct reply_tap *tap, const char *bytes, size_t len)
{
    (void)tap, (void)bytes, (void)len;
}

/* Is the status the gateway's own, for a call of whose end nothing is known? */
static bool is_own(const struct route *route, int status)
{
    for (int i = 0; i < ERROR_STATUSES; i++)
        if (route->errors.statuses[i] == status)
            return true;
    return false;
}

static int answer_change(struct request *request, struct reply *reply, const struct config *config,
    const struct route_match *match, const struct sharing_route *route)
{
    struct change change = { { on_head, on_body }, config->cache, sameness_path(request) };
    reply->tap = &change.tap;
    int status = route->answer(request, reply, config, match);
    reply->tap = NULL;
    if (!reply->is_started && is_own(match->target, status))
        cache_purge_path(change.cache, change.path);
    else if (!reply->is_started)
        on_head(&change.tap, reply, status);
    return status;
}

int sharing_answer(struct request *request, struct reply *reply, const struct config *config,
    const struct route_match *match, const struct sharing_route *route)
{
    if (config->cache && !is_safe(request->method))
        return answer_change(request, reply, config, match, route);
    if (!can_share(request, config, match->target))
        return route->answer(request, reply, config, match);
    struct sharing *self = begin(request, reply, config, match, route);
    if (self->has_cache && look_up(self))
        return send_hit(self);
    if (self->has_cache && self->wish.only_if_cached)
        return reply_error(reply, 504, reply_reason(504), "Nothing that fits is in the cache");
    if (request->is_head && self->route->kind == ROUTE_PASS)
        return route->answer(request, reply, config, match);
    return share(self);
}
