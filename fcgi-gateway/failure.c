/* failure: from what went wrong with a call to a status, a title and a message.
 *
 * The one mapping for all routes. What callers are told names the service by its title and the
 * cause in general words: no addresses, no paths of this machine.
 */
#include "failure.h"
#include "lib/buf.h"

const char *failure_duration(struct arena *arena, int duration_ms)
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

static struct error_values values_of(const struct call *call, const struct error_plan *plan,
    enum error_cause cause, const char *what, struct str message)
{
    return (struct error_values){ join(call->arena, call->upstream->title, what), message,
        plan->statuses[cause], error_cause_name(cause) };
}

struct error_values failure_of(const struct call *call, const struct error_plan *plan)
{
    struct str why = str_of(call->cause);
    switch (call->outcome) {
    case CALL_UNREACHABLE:
        return values_of(call, plan, ERROR_UNREACHABLE, " unavailable", why);
    case CALL_TIMEOUT:
        return values_of(call, plan, ERROR_TIMEOUT, " timeout",
            call->cause ? why
                        : join(call->arena, STR("Service did not respond in "),
                              failure_duration(call->arena,
                                  call->waited_ms ? call->waited_ms : call->timeout_ms)));
    case CALL_REFUSED:
        return values_of(call, plan, ERROR_REFUSED, " unavailable", why);
    case CALL_GONE:
        return values_of(call, plan, ERROR_GONE, " not asked", why);
    default:
        return values_of(call, plan, ERROR_BROKEN, " error", why);
    }
}

struct error_values failure_of_jq(const struct error_plan *plan, bool is_late)
{
    if (is_late)
        return (struct error_values){ STR("Gateway timeout"),
            STR("No reply could be made in the time there is for it"),
            plan->statuses[ERROR_TIMEOUT], error_cause_name(ERROR_TIMEOUT) };
    return (struct error_values){ STR("Bad gateway"),
        STR("No reply could be made of what the services answered"), plan->statuses[ERROR_BROKEN],
        error_cause_name(ERROR_BROKEN) };
}

struct error_values failure_of_wait(
    const struct route *route, enum call_outcome outcome, int timeout_ms, struct arena *arena)
{
    static const struct upstream none = { .title = { "Service", 7 } };
    struct call call = { .upstream = route->upstream, .arena = arena, .outcome = outcome };
    if (!call.upstream)
        call.upstream = route->call_count ? route->calls[0].upstream : &none;
    call.timeout_ms = timeout_ms;
    call.cause = outcome == CALL_BROKEN ? "The reply broke off" : NULL;
    return failure_of(&call, &route->errors);
}

void failure_retry_after(struct reply *reply, const struct call *call)
{
    struct str said = call_field(call, "Retry-After");
    struct buf seconds;
    buf_init(&seconds, call->arena);
    buf_int(&seconds, call->retry_after_s);
    if (call->outcome == CALL_REFUSED)
        reply_field(reply, "Retry-After", buf_as_str(&seconds));
    else if (said.at)
        reply_field(reply, "Retry-After", said);
}

struct error_values failure_of_client(const struct error_plan *plan)
{
    return (struct error_values){ STR("Client closed the connection"),
        STR("What was under way for this request was given up"), plan->statuses[ERROR_GONE],
        error_cause_name(ERROR_GONE) };
}

void failure_log_call(struct request *request, struct str name, const struct call *call)
{
    static const char *const outcomes[] = {
        [CALL_OK] = "",
        [CALL_UNREACHABLE] = "(unreachable)",
        [CALL_TIMEOUT] = "(timeout)",
        [CALL_BROKEN] = "(broken)",
        [CALL_GONE] = "(given up)",
        [CALL_REFUSED] = "(refused)",
        [CALL_UNMADE] = "(not made)",
    };
    struct buf *log = &request->log;
    long long tenths = (call->took_us + 50) / 100; /* of a millisecond */
    if (log->len)
        buf_char(log, ' ');
    buf_str(log, name);
    buf_char(log, '=');
    buf_int(log, tenths / 10);
    buf_char(log, '.');
    buf_int(log, tenths % 10);
    buf_text(log, "ms");
    if (call->tries > 1)
        buf_printf(log, "(%d tries)", call->tries);
    buf_text(log, outcomes[call->outcome]);
}
