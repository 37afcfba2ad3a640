/* explain_guards: what stands between a route and its upstreams, a line for each of them.
 *
 * Knows what is set; nothing of what is known of a service just now: nobody asks one here.
 */
#include "explain_part.h"
#include "quantity.h"

static void say(struct explanation *self, struct buf *line, const char *what, int value)
{
    (void)self;
    buf_printf(line, "%s%d %s", line->len ? ", " : "", value, what);
}

static const char *duration(struct explanation *self, long long duration_us)
{
    return quantity_duration(self->arena, duration_us / 1000);
}

static void add_servers(struct explanation *self, const struct upstream *upstream, struct buf *line)
{
    static const char *const kinds[] = {
        [BALANCE_ROUND_ROBIN] = "in turn",
        [BALANCE_LEAST_TIME] = "by response time",
        [BALANCE_HASH] = "by a hash",
    };
    if (upstream->server_count == 1)
        return;
    say(self, line, "servers ", upstream->server_count);
    buf_text(line, kinds[upstream->balance.kind]);
}

static void add_places(struct explanation *self, const struct upstream *upstream, struct buf *line)
{
    if (upstream->places.concurrent_max == 0)
        return;
    say(self, line, "calls at the same time", upstream->places.concurrent_max);
    say(self, line, "wait", upstream->places.queue_max);
}

static void add_retries(struct explanation *self, const struct upstream *upstream, struct buf *line)
{
    if (upstream->retry.attempts_max > 1)
        say(self, line, "attempts", upstream->retry.attempts_max);
}

static void add_breaker(struct explanation *self, const struct upstream *upstream, struct buf *line)
{
    const struct breaker_settings *breaker = &upstream->breaker;
    if (!upstream->has_breaker)
        return;
    buf_printf(line, "%sleft alone for %s when %d%% of %d calls or more fail within %s",
        line->len ? ", " : "", duration(self, breaker->open_us), breaker->failure_percent,
        breaker->calls_min, duration(self, breaker->window_us));
}

static void say_upstream(struct explanation *self, const struct upstream *upstream)
{
    struct buf line;
    buf_init(&line, self->arena);
    add_servers(self, upstream, &line);
    add_places(self, upstream, &line);
    add_retries(self, upstream, &line);
    add_breaker(self, upstream, &line);
    if (line.len)
        explain_line(
            self, "", "%.*s: %s", (int)upstream->name.len, upstream->name.at, buf_as_text(&line));
}

static bool uses(const struct route *route, const struct upstream *upstream)
{
    for (unsigned i = 0; i < route->call_count; i++)
        if (route->calls[i].upstream == upstream)
            return true;
    return route->upstream == upstream;
}

void explain_upstreams(struct explanation *self)
{
    for (unsigned i = 0; i < self->config->upstream_count; i++)
        if (uses(self->route, &self->config->upstreams[i]))
            say_upstream(self, &self->config->upstreams[i]);
}
