/* health: builtin:health, the gateway's own state and that of every upstream.
 *
 * Upstreams are asked when somebody asks us, all at once, each within its health timeout.
 */
#include "health.h"
#include <stdlib.h>
#include "failure.h"
#include "forward.h"

static bool is_healthy(const struct call *call, struct arena *arena)
{
    struct json json;
    return call->outcome == CALL_OK && call->status == 200 &&
           json_read(&json, call->body, arena, NULL);
}

static void write_upstream(struct buf *out, const struct call *call, bool healthy)
{
    buf_char(out, ',');
    buf_json_string(out, call->upstream->health_name);
    if (healthy) {
        buf_text(out, ":{\"status\":\"healthy\",\"reachable\":true,\"data\":");
        buf_str(out, call->body);
        buf_char(out, '}');
    } else if (call->outcome == CALL_BROKEN) {
        buf_text(out, ":{\"status\":\"unhealthy\",\"reachable\":true}");
    } else if (call->outcome == CALL_OK) {
        buf_printf(
            out, ":{\"status\":\"unhealthy\",\"reachable\":true,\"http_code\":%d}", call->status);
    } else {
        buf_text(out, ":{\"status\":\"unreachable\",\"reachable\":false}");
    }
}

/* Our own part: the port is the one that this request came in by. */
static void write_gateway(struct buf *out, const struct request *request, struct str name)
{
    const char *port = request_variable(request, "SERVER_PORT");
    buf_text(out, ",\"gateway\":{\"status\":\"healthy\",\"service\":");
    buf_json_string(out, name);
    buf_printf(out, ",\"port\":%d}", port ? atoi(port) : 0);
}

static struct call *ask_all(struct request *request, const struct config *config)
{
    struct call *calls = arena_zero(request->arena, config->upstream_count * sizeof *calls);
    for (unsigned i = 0; i < config->upstream_count; i++) {
        const struct upstream *upstream = &config->upstreams[i];
        calls[i] = (struct call){
            .upstream = upstream,
            .method = "GET",
            .target = upstream->health_path,
            .fields = forward_own(request),
            .timeout_ms = upstream->health_timeout_ms,
            .arena = request->arena,
        };
        caller_start(request->thread, &calls[i]);
    }
    while (caller_next(request->thread))
        ;
    return calls;
}

int health(struct request *request, struct reply *reply, const struct config *config)
{
    struct call *calls = ask_all(request, config);
    struct buf upstreams, body;
    buf_init(&upstreams, request->arena);
    buf_init(&body, request->arena);
    bool all_healthy = true;
    for (unsigned i = 0; i < config->upstream_count; i++) {
        bool healthy = is_healthy(&calls[i], request->arena);
        failure_log_call(request, calls[i].upstream->name, &calls[i]);
        write_upstream(&upstreams, &calls[i], healthy);
        all_healthy &= healthy;
    }
    buf_text(&body, "{\"overall_status\":");
    buf_text(&body, all_healthy ? "\"healthy\"" : "\"degraded\"");
    write_gateway(&body, request, config->name);
    buf_str(&body, buf_as_str(&upstreams));
    buf_char(&body, '}');
    return reply_json(reply, all_healthy ? 200 : 503, buf_as_str(&body));
}
