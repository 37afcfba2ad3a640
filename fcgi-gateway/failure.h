/* failure: from what went wrong with a call to a status, a title and a message. */
#ifndef GATEWAY_FAILURE_H
#define GATEWAY_FAILURE_H

#include "config.h"
#include "lib/reply.h"
#include "lib/request.h"

/* What a call that ended with anything but a usable reply means to the client: "Users service
 * unavailable", "Users service timeout" or "Users service error", with the status that the
 * configuration gives it. Texts are in the call's arena. */
struct error_values failure_of(const struct call *call, const struct error_plan *plan);

/* The same where all calls went well and the route's jq program did not, or not in time. */
struct error_values failure_of_jq(const struct error_plan *plan, bool is_late);

/* Adds Retry-After (RFC 9110 section 10.2.3) to the reply that tells of it, where the gateway knows
 * when to come again, or the service has said it. */
void failure_retry_after(struct reply *reply, const struct call *call);

/* "5 seconds", "1 second", "1.5 seconds", "120 milliseconds" */
const char *failure_duration(struct arena *arena, int duration_ms);

/* What a request is told that waited for another one's reply: `outcome` is CALL_TIMEOUT after
 * `timeout_ms`, or CALL_BROKEN where that broke off. */
struct error_values failure_of_wait(
    const struct route *route, enum call_outcome outcome, int timeout_ms, struct arena *arena);

/* The same where the client went away: for the log, as nobody will read it. */
struct error_values failure_of_client(const struct error_plan *plan);

/* Writes what became of a call to the request's log line: " users=1.2ms", "
 * users=5000.3ms(timeout)". */
void failure_log_call(struct request *request, struct str name, const struct call *call);

#endif
