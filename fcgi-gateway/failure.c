/* failure: from what went wrong with a call to a status, a title and a message.
 *
 * The one mapping for all routes. What callers are told names the service by its title and the
 * cause in general words: no addresses, no paths of this machine.
 */
#include "failure.h"
#include "lib/buf.h"

#define CLIENT_GONE_STATUS 499 /* in the log only: nobody is there to read it */

/* "5 seconds", "1 second", "1.5 seconds", "120 milliseconds" */
static const char *duration_text(struct arena *arena, int duration_ms)
{
    struct buf text;
    buf_init(&text, arena);
    if (duration_ms < 1000)
        buf_printf(&text, "%d milliseconds", duration_ms);
    else
        buf_printf(&text, "%g second%s", duration_ms / 1000.0, duration_ms == 1000 ? "" : "s");
    return buf_as_text(&text);
}

static struct str join(struct arena *arena, struct str a, const char *b)
{
    struct buf text;
    buf_init(&text, arena);
    buf_str(&text, a);
    buf_text(&text, b);
    return buf_as_str(&text);
}

struct error_values failure_of(const struct call *call, const struct error_statuses *statuses)
{
    struct str title = call->upstream->title;
    switch (call->outcome) {
    case CALL_UNREACHABLE:
        return (struct error_values){ join(call->arena, title, " unavailable"), str_of(call->cause),
            statuses->unreachable };
    case CALL_TIMEOUT:
        return (struct error_values){ join(call->arena, title, " timeout"),
            join(call->arena, STR("Service did not respond in "),
                duration_text(call->arena, call->timeout_ms)),
            statuses->timeout };
    case CALL_GONE:
        return (struct error_values){ join(call->arena, title, " not asked"), str_of(call->cause),
            CLIENT_GONE_STATUS };
    default:
        return (struct error_values){ join(call->arena, title, " error"), str_of(call->cause),
            statuses->broken };
    }
}

int failure_reply(struct reply *reply, const struct error_values *error)
{
    struct arena *arena = reply->request->arena;
    return reply_error(reply, error->status, arena_copy(arena, error->title.at, error->title.len),
        arena_copy(arena, error->message.at, error->message.len));
}

void failure_log_call(struct request *request, struct str name, const struct call *call)
{
    static const char *const outcomes[] = {
        [CALL_OK] = "",
        [CALL_UNREACHABLE] = "(unreachable)",
        [CALL_TIMEOUT] = "(timeout)",
        [CALL_BROKEN] = "(broken)",
        [CALL_GONE] = "(given up)",
        [CALL_UNMADE] = "(not made)",
    };
    buf_printf(&request->log, "%s%.*s=%.1fms%s", request->log.len ? " " : "", (int)name.len,
        name.at, call->took_us / 1000.0, outcomes[call->outcome]);
}
