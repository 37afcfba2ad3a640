/* fetch: lets a route answer, and keeps and shares what it answers.
 *
 * Looks at the reply on its way (struct reply_tap), so that a streamed one is still streamed to the
 * client that asked, and is collected beside that as long as it is small enough. A reply that says
 * that nothing has changed, or an error where an old reply will do, is withheld.
 */
#include "fetch.h"
#include <stdlib.h>
#include <time.h>
#include "conditional.h"
#include "error_body.h"
#include "failure.h"
#include "field_text.h"
#include "lib/log.h"
#include "resend.h"
#include "sameness.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What a follower can wait for while the leader's client reads slowly: the web server and the
 * socket to it take this much at once, so no client can hold up others. */
#define STREAMED_SHARED_MAX (128 * 1024)

/* Of a composed reply, which is whole before anything is sent. */
#define WHOLE_SHARED_MAX (1024 * 1024)

/* Who has less than this part of its time left need not begin to ask. */
#define ENOUGH_PART 10

/* A fetch while it goes on. */
struct fetching {
    struct reply_tap tap; /* first: the tap is the fetching */
    struct fetch *fetch;
    struct request asked; /* the request as the route gets it */
    long long asked_us;
    int status;                 /* that the route's reply had */
    bool is_whole;              /* made here: an error, or of several replies */
    struct freshness freshness; /* of it */
    bool is_kept;               /* it is to be */
    struct str held_fields;     /* of a reply that is withheld */
    struct stored_draft draft;
    struct str vary;
    size_t len;      /* of its body so far */
    bool is_refused; /* to others */
};

static struct str value_of(const struct fetching *self, struct str fields, const char *name)
{
    return field_text_value(fields, name, self->fetch->request->arena);
}

static long long unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Composed replies depend on who asks only where their route refers to that, which is in the key.
 */
static struct freshness judge(const struct fetching *self, int status, struct str fields)
{
    const struct request *request = self->fetch->request;
    const struct route *route = self->fetch->match->target;
    bool is_pass = route->kind == ROUTE_PASS;
    struct freshness_exchange exchange = {
        .has_authorization = is_pass && request_header(request, "Authorization"),
        .has_cookie = is_pass && request_header(request, "Cookie"),
        .status = status,
        .cache_control = value_of(self, fields, "Cache-Control"),
        .expires = value_of(self, fields, "Expires"),
        .date = value_of(self, fields, "Date"),
        .age = value_of(self, fields, "Age"),
        .vary = value_of(self, fields, "Vary"),
        .has_set_cookie = value_of(self, fields, "Set-Cookie").at,
        .has_validator = is_pass && (value_of(self, fields, "ETag").at ||
                                        value_of(self, fields, "Last-Modified").at),
        .took_ms = (log_clock_us() - self->asked_us) / 1000,
        .unix_ms = unix_ms(),
    };
    return freshness_judge(&exchange, &route->cache.setting);
}

/* Where the service says before it how long a streamed reply is, and that is more than can be
 * shared. */
static bool is_said_too_long(const struct fetching *self, struct str fields)
{
    struct str length = value_of(self, fields, "Content-Length");
    struct arena *arena = self->fetch->request->arena;
    return !self->is_whole && length.at &&
           strtoll(arena_copy(arena, length.at, length.len), NULL, 10) > STREAMED_SHARED_MAX;
}

/* Is the reply for everybody who asked the same at this time, errors included? Not a part of one,
 * nor one without an end. */
static bool is_for_followers(const struct fetching *self, int status, struct str fields)
{
    struct str type = value_of(self, fields, "Content-Type");
    struct str vary = value_of(self, fields, "Vary"), name;
    while (field_text_member(&vary, &name))
        if (str_is(name, "*"))
            return false;
    return status != 206 && status != 304 && !value_of(self, fields, "Set-Cookie").at &&
           !freshness_is_for_one(value_of(self, fields, "Cache-Control")) &&
           !is_said_too_long(self, fields) &&
           !(type.len >= 17 && strncasecmp(type.at, "text/event-stream", 17) == 0);
}

static bool is_leading(const struct fetching *self)
{
    return self->fetch->seat && self->fetch->seat->role == COALESCE_LEADS;
}

static void abandon(struct fetching *self)
{
    if (is_leading(self))
        coalesce_abandon(self->fetch->config->coalescer, self->fetch->seat);
}

/* The reply is for nobody else. Known as soon as it can be: who comes from now on does not wait.
 * What is said of an error says nothing of the replies to come. */
static void refuse_others(struct fetching *self)
{
    const struct fetch *fetch = self->fetch;
    self->is_refused = true;
    if (fetch->has_place && self->status < 500)
        unshared_note(fetch->config->unshared, &fetch->place, log_clock_us());
    abandon(self);
}

/* The whole reply was, or could have been, for others too. Where it varies by more than tells
 * requests at the same time apart, it may be of no use to them all the same. */
static void welcome_others(const struct fetching *self)
{
    const struct fetch *fetch = self->fetch;
    if (fetch->has_place && !self->is_refused && self->status < 400 && sameness_is_told(self->vary))
        unshared_forget(fetch->config->unshared, &fetch->place);
}

/* --- the head --- */

/* Is there something better than this reply? */
static bool is_to_be_withheld(const struct fetch *fetch, int status)
{
    bool is_failure = status >= 500 || fetch->reply->is_makeshift;
    return fetch->old && (status == 304 || (is_failure && fetch->may_fall_back));
}

static size_t longest(const struct fetching *self)
{
    size_t most = self->is_kept ? cache_reply_max(self->fetch->config->cache) : 0;
    return is_leading(self) && most < WHOLE_SHARED_MAX ? WHOLE_SHARED_MAX : most;
}

static void begin_draft(struct fetching *self, int status, struct str fields)
{
    static const char *const own[] = { "Age", "Content-Length", "X-Request-ID" };
    struct buf kept;
    if (!self->is_kept && !is_leading(self))
        return;
    buf_init(&kept, self->fetch->request->arena);
    field_text_copy_without(&kept, fields, own, COUNT(own));
    stored_begin(&self->draft, status, buf_as_str(&kept), longest(self));
}

/* RFC 9211 section 2.3: of the next hop's reply, where there was one. */
static void add_forwarded_status(const struct fetching *self, int status, struct buf *words)
{
    if (!self->is_whole)
        buf_printf(words, "; fwd-status=%d", status);
}

static struct str cache_status(const struct fetching *self, int status)
{
    const struct fetch *fetch = self->fetch;
    struct buf words;
    buf_init(&words, fetch->request->arena);
    if (!fetch->forwarded)
        return buf_as_str(&words);
    buf_printf(&words, "fwd=%s", fetch->forwarded);
    if (fetch->old)
        add_forwarded_status(self, status, &words);
    if (self->is_kept)
        buf_text(&words, "; stored");
    return buf_as_str(&words);
}

/* Puts together what the client gets. It may have the same already, which the service was not
 * asked, because the whole reply is of use for others. */
static int finish_head(struct fetching *self, int status, struct str fields)
{
    struct fetch *fetch = self->fetch;
    struct buf *out = &fetch->reply->fields;
    bool is_known = fetch->key && status == 200 && resend_is_known(fetch->request, fields);
    buf_init(out, fetch->request->arena);
    if (is_known)
        resend_copy_for_304(out, fields);
    else
        buf_str(out, fields);
    resend_add_cache_status(out, fetch->config->name, cache_status(self, status));
    return is_known ? 304 : status;
}

static int on_head(struct reply_tap *tap, struct reply *reply, int status)
{
    struct fetching *self = (struct fetching *)tap;
    struct fetch *fetch = self->fetch;
    struct str fields = buf_as_str(&reply->fields);
    self->status = status;
    if (is_to_be_withheld(fetch, status)) {
        self->held_fields = fields;
        buf_init(&reply->fields, fetch->request->arena);
        reply->is_withheld = true;
        return status;
    }
    self->vary = value_of(self, fields, "Vary");
    if (!is_for_followers(self, status, fields))
        refuse_others(self);
    self->freshness = judge(self, status, fields);
    self->is_kept = fetch->is_kept && self->freshness.is_storable && !reply->is_makeshift;
    begin_draft(self, status, fields);
    return finish_head(self, status, fields);
}

static void on_body(struct reply_tap *tap, const char *bytes, size_t len)
{
    struct fetching *self = (struct fetching *)tap;
    self->len += len;
    if (is_leading(self))
        coalesce_moved(self->fetch->seat);
    if (self->fetch->reply->is_withheld)
        return;
    if (!self->is_refused && self->len > (self->is_whole ? WHOLE_SHARED_MAX : STREAMED_SHARED_MAX))
        refuse_others(self);
    if (!stored_is_empty(&self->draft) && !stored_add(&self->draft, bytes, len))
        abandon(self);
}

/* --- what becomes of it --- */

static struct stored *end_draft(struct fetching *self)
{
    struct str values = sameness_vary_values(self->fetch->request, self->vary);
    struct stored *stored = stored_end(&self->draft, self->vary, values);
    if (stored) {
        stored->freshness = self->freshness;
        stored->arrived_us = log_clock_us();
    }
    return stored;
}

static void keep(struct fetching *self, struct stored *stored)
{
    const struct fetch *fetch = self->fetch;
    struct cache *cache = fetch->config->cache;
    if (!fetch->is_kept)
        return;
    if (stored && self->is_kept)
        cache_keep(cache, fetch->key, fetch->asker, fetch->mark, stored);
    else if (fetch->old && self->status < 500 &&
             !fetch->reply->is_makeshift) /* it is not what the service says now */
        cache_drop(cache, fetch->key, fetch->asker);
}

/* An error of a leader whose own time is used up, or was too little from the beginning, is no
 * other's: whoever has clearly more time asks again. Returns when a follower's deadline must be
 * for that. */
static long long heir_deadline_us(const struct fetching *self)
{
    long long now_us = log_clock_us(), deadline_us = self->fetch->seat->deadline_us;
    long long enough_us = (deadline_us - self->asked.arrived_us) / ENOUGH_PART;
    bool is_used_up = deadline_us - now_us < enough_us;
    return now_us + (is_used_up ? enough_us : 2 * (deadline_us - self->asked_us));
}

static bool hand_over(struct fetching *self)
{
    const struct fetch *fetch = self->fetch;
    return coalesce_hand_over(fetch->config->coalescer, fetch->seat, heir_deadline_us(self));
}

/* The leader's reply broke off: those who got nothing of it yet get a whole error. */
static void land_error(struct fetching *self)
{
    const struct fetch *fetch = self->fetch;
    const struct route *route = fetch->match->target;
    struct error_values error = failure_of_wait(route, CALL_BROKEN, 0, fetch->request->arena);
    struct reply reply;
    reply_init(&reply, fetch->request);
    error_body_use(&reply, &route->errors);
    stored_drop(&self->draft);
    int status = error_reply(&reply, &error);
    stored_begin(&self->draft, status, buf_as_str(&reply.fields), reply.body.len);
    stored_add(&self->draft, reply.body.at, reply.body.len);
    struct stored *stored = end_draft(self);
    if (stored)
        coalesce_land(fetch->config->coalescer, fetch->seat, stored);
    else
        abandon(self);
    stored_release(stored);
}

/* The reply cannot be used: the client has gone, or the service broke off. */
static void give_up(struct fetching *self)
{
    const struct fetch *fetch = self->fetch;
    bool is_gone =
        caller_is_client_gone(fetch->request->thread) || request_client_gone(fetch->request);
    stored_drop(&self->draft);
    if (!is_leading(self))
        return;
    if (!is_gone && !hand_over(self))
        land_error(self);
    else if (is_gone && !coalesce_hand_over(fetch->config->coalescer, fetch->seat, 0))
        abandon(self);
}

static void settle(struct fetching *self)
{
    const struct fetch *fetch = self->fetch;
    struct stored *stored = end_draft(self);
    bool is_error = self->status >= 500 || fetch->reply->is_makeshift;
    keep(self, stored);
    welcome_others(self);
    if (is_leading(self) && stored && !(is_error && hand_over(self)))
        coalesce_land(fetch->config->coalescer, fetch->seat, stored);
    abandon(self);
    stored_release(stored);
}

/* The service says that nothing has changed: what it says of it now takes the place of what it said
 * then (RFC 9111 section 4.3.4). */
static struct stored *freshen(struct fetching *self)
{
    static const char *const of_body[] = { "Age", "Content-*", "X-Request-ID" };
    const struct fetch *fetch = self->fetch;
    struct arena *arena = fetch->request->arena;
    const char *replaced[64];
    size_t count = 0;
    struct buf fields, all;
    buf_init(&fields, arena);
    field_text_copy_without(&fields, self->held_fields, of_body, COUNT(of_body));
    struct str rest = buf_as_str(&fields), name, value;
    while (count < COUNT(replaced) && field_text_next(&rest, &name, &value))
        replaced[count++] = arena_copy(arena, name.at, name.len);
    buf_init(&all, arena);
    field_text_copy_without(&all, fetch->old->fields, replaced, count);
    buf_str(&all, buf_as_str(&fields));
    struct str age = value_of(self, self->held_fields, "Age");
    self->status = fetch->old->status;
    struct buf judged;
    buf_init(&judged, arena);
    buf_str(&judged, buf_as_str(&all));
    if (age.at)
        buf_printf(&judged, "Age: %.*s\r\n", (int)age.len, age.at);
    self->freshness = judge(self, self->status, buf_as_str(&judged));
    self->is_kept = fetch->is_kept && self->freshness.is_storable;
    self->vary = value_of(self, buf_as_str(&all), "Vary");
    stored_begin(&self->draft, self->status, buf_as_str(&all), fetch->old->body.len);
    stored_add(&self->draft, fetch->old->body.at, fetch->old->body.len);
    struct stored *stored = end_draft(self);
    keep(self, stored);
    return stored ? stored : stored_use(fetch->old);
}

/* The reply was withheld: an old one goes out. */
static int answer_from_old(struct fetching *self)
{
    struct fetch *fetch = self->fetch;
    int asked_status = self->status;
    struct buf words;
    buf_init(&words, fetch->request->arena);
    buf_printf(&words, "fwd=%s", fetch->forwarded ? fetch->forwarded : "stale");
    add_forwarded_status(self, asked_status, &words);
    struct stored *stored = asked_status == 304 ? freshen(self) : stored_use(fetch->old);
    buf_text(&words, asked_status != 304 ? "; detail=stale-if-error"
                     : self->is_kept     ? "; stored"
                                         : "");
    if (is_leading(self) && asked_status == 304)
        coalesce_land(fetch->config->coalescer, fetch->seat, stored);
    else if (is_leading(self))
        coalesce_land_old(fetch->config->coalescer, fetch->seat, stored);
    fetch->reply->is_withheld = false;
    return resend(fetch->reply, stored, true, fetch->config->name, buf_as_str(&words));
}

/* A 304 of a service that mixes up its replies: it is asked again, for the whole one. */
static int ask_without_old(struct fetch *fetch_it)
{
    fetch_it->reply->is_withheld = false;
    if (fetch_it->is_kept)
        cache_drop(fetch_it->config->cache, fetch_it->key, fetch_it->asker);
    fetch_it->old = NULL;
    return fetch(fetch_it);
}

/* What the route made is whole and not sent yet, or it is an error. */
static int look_at_whole(struct fetching *self, int status)
{
    struct reply *reply = self->fetch->reply;
    self->is_whole = true;
    status = on_head(&self->tap, reply, status);
    if (!reply->is_withheld)
        on_body(&self->tap, reply->body.at, reply->body.len);
    return status;
}

int fetch(struct fetch *fetch)
{
    struct reply *reply = fetch->reply;
    struct fetching self = { .tap = { on_head, on_body },
        .fetch = fetch,
        .asked = *fetch->request,
        .asked_us = log_clock_us() };
    if (fetch->key) {
        self.asked.variables = conditional_variables(fetch->request, fetch->old);
        self.asked.index = NULL; /* it was of the others */
    }
    buf_init(&reply->fields, fetch->request->arena);
    reply->tap = &self.tap;
    int status = fetch->answer(&self.asked, reply, fetch->config, fetch->match);
    reply->tap = NULL;
    fetch->request->log = self.asked.log;
    if (reply->is_broken || (!reply->is_started && caller_is_client_gone(fetch->request->thread))) {
        give_up(&self);
        return status;
    }
    if (!reply->is_started && !reply->is_withheld)
        status = look_at_whole(&self, status);
    if (reply->is_withheld && self.status == 304 &&
        !conditional_is_about(fetch->old, self.held_fields, fetch->request->arena))
        return ask_without_old(fetch);
    if (reply->is_withheld)
        return answer_from_old(&self);
    settle(&self);
    return status;
}
