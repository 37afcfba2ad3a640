/* health: builtin:health, the gateway's own state and that of every upstream.
 *
 * Servers are asked when somebody asks us, all at once, each within its upstream's health timeout,
 * whatever is known of them. What is known is shown where it says more than the answers.
 */
#include "health.h"
#include <stdlib.h>
#include "attempt.h"
#include "failure.h"
#include "forward.h"

static bool is_healthy(const struct call *call)
{
    struct json json;
    return call->outcome == CALL_OK && call->status == 200 &&
           json_read(&json, call->body, call->arena, NULL);
}

/* The members that say how one answered, without braces. */
static void write_state(struct buf *out, const struct call *call, bool healthy)
{
    if (healthy)
        buf_text(out, "\"status\":\"healthy\",\"reachable\":true");
    else if (call->outcome == CALL_BROKEN)
        buf_text(out, "\"status\":\"unhealthy\",\"reachable\":true");
    else if (call->outcome == CALL_OK)
        buf_printf(
            out, "\"status\":\"unhealthy\",\"reachable\":true,\"http_code\":%d", call->status);
    else
        buf_text(out, "\"status\":\"unreachable\",\"reachable\":false");
}

/* What the gateway's own calls have found, beside what its question now did. */
static void write_servers(struct buf *out, const struct upstream *upstream,
    const struct call *calls, const struct outlook *outlook)
{
    buf_text(out, ",\"servers\":[");
    for (int i = 0; i < upstream->server_count; i++) {
        buf_text(out, i ? ",{\"address\":" : "{\"address\":");
        buf_json_string(out, upstream->servers[i].address.text);
        buf_printf(out, ",\"state\":\"%s\",", server_state_name(outlook->servers[i]));
        write_state(out, &calls[i], is_healthy(&calls[i]));
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

/* The server that speaks for all: the first healthy one that is to be used, else the first. */
static const struct call *find_speaker(const struct upstream *upstream, const struct call *calls)
{
    for (int i = 0; i < upstream->server_count; i++)
        if (is_healthy(&calls[i]) && !upstream->servers[i].is_draining)
            return &calls[i];
    return calls;
}

/* Returns whether it is healthy. `calls` has one for each of its servers. */
static bool write_upstream(
    struct buf *out, const struct upstream *upstream, const struct call *calls)
{
    const struct call *speaker = find_speaker(upstream, calls);
    bool healthy = is_healthy(speaker) && !upstream->servers[speaker - calls].is_draining;
    struct outlook outlook;
    attempt_outlook(upstream, &outlook);
    buf_char(out, ',');
    buf_json_string(out, upstream->health_name);
    buf_text(out, ":{");
    write_state(out, speaker, healthy);
    if (healthy) {
        buf_text(out, ",\"data\":");
        buf_str(out, speaker->body);
    }
    if (outlook.breaker != BREAKER_CLOSED)
        buf_printf(out, ",\"breaker\":\"%s\"", breaker_state_name(outlook.breaker));
    if (upstream->server_count > 1 || upstream->check_interval_ms)
        write_servers(out, upstream, calls, &outlook);
    buf_char(out, '}');
    return healthy;
}

/* Our own part: the port is the one that this request came in by. */
static void write_gateway(struct buf *out, const struct request *request, struct str name)
{
    const char *port = request_variable(request, "SERVER_PORT");
    buf_text(out, ",\"gateway\":{\"status\":\"healthy\",\"service\":");
    buf_json_string(out, name);
    buf_printf(out, ",\"port\":%d}", port ? atoi(port) : 0);
}

static unsigned count_servers(const struct config *config)
{
    unsigned count = 0;
    for (unsigned i = 0; i < config->upstream_count; i++)
        count += (unsigned)config->upstreams[i].server_count;
    return count;
}

/* Every server of every upstream, in their order. */
static struct call *ask_all(struct request *request, const struct config *config)
{
    struct call *calls = arena_zero(request->arena, count_servers(config) * sizeof *calls);
    struct call *call = calls;
    for (unsigned i = 0; i < config->upstream_count; i++) {
        const struct upstream *upstream = &config->upstreams[i];
        for (int server = 1; server <= upstream->server_count; server++, call++) {
            *call = (struct call){
                .upstream = upstream,
                .method = "GET",
                .target = upstream->health_path,
                .fields = forward_own(request),
                .timeout_ms = upstream->health_timeout_ms,
                .reply_max = CALL_HEALTH_MAX,
                .arena = request->arena,
                .only_server = server,
            };
            caller_start(request->thread, call);
        }
    }
    while (caller_next(request->thread))
        ;
    return calls;
}

int health(struct request *request, struct reply *reply, const struct config *config)
{
    const struct call *calls = ask_all(request, config);
    struct buf upstreams, body;
    buf_init(&upstreams, request->arena);
    buf_init(&body, request->arena);
    bool all_healthy = true;
    for (unsigned i = 0; i < config->upstream_count; i++) {
        const struct upstream *upstream = &config->upstreams[i];
        for (int server = 0; server < upstream->server_count; server++)
            failure_log_call(request, upstream->name, &calls[server]);
        all_healthy &= write_upstream(&upstreams, upstream, calls);
        calls += upstream->server_count;
    }
    buf_text(&body, "{\"overall_status\":");
    buf_text(&body, all_healthy ? "\"healthy\"" : "\"degraded\"");
    write_gateway(&body, request, config->name);
    buf_str(&body, buf_as_str(&upstreams));
    buf_char(&body, '}');
    return reply_json(reply, all_healthy ? 200 : 503, buf_as_str(&body));
}
