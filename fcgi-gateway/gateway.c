/* gateway: the way of a request, step by step: match the route, answer.
 *
 * What comes before (accept, limits, request id) and after (reply, log) is lib/serve's. A policy is
 * one module and one line here.
 */
#include "gateway.h"
#include "admin.h"
#include "compose.h"
#include "config.h"
#include "cors.h"
#include "error_body.h"
#include "field_change.h"
#include "failure.h"
#include "health.h"
#include "openapi.h"
#include "pass.h"
#include "redirect.h"
#include "sharing.h"

static int answer_built_in(struct request *request, struct reply *reply,
    const struct config *config, const struct route_match *match)
{
    const struct route *route = match->target;
    struct reference_values values = { .request = request, .match = match };
    int status = route->kind == ROUTE_HEALTH ? health(request, reply, config)
                                             : openapi(request, reply, config);
    field_change_reply(reply, &route->fields, &values);
    return status;
}

static int answer(struct request *request, struct reply *reply, const struct config *config,
    const struct route_match *match)
{
    const struct route *route = match->target;
    switch (route->kind) {
    case ROUTE_PASS:
        return pass_through(request, reply, config, route, match);
    case ROUTE_REDIRECT:
        return redirect(request, reply, route, match);
    case ROUTE_COMPOSE:
        return compose(request, reply, config, route, match);
    case ROUTE_HEALTH:
    case ROUTE_OPENAPI:
        return answer_built_in(request, reply, config, match);
    }
    return reply_error(reply, 500, "Internal error", NULL);
}

/* Whatever was made of calls that were given up because the client had gone is no reply. */
static int answer_unless_gone(struct request *request, struct reply *reply,
    const struct config *config, const struct route_match *match)
{
    const struct route *route = match->target;
    static const struct sharing_route route_answers = { answer };
    int status = sharing_answer(request, reply, config, match, &route_answers);
    if (reply->is_started || !caller_is_client_gone(request->thread))
        return status;
    struct error_values error = failure_of_client(&route->errors);
    reply->fields.len = 0;
    return error_reply(reply, &error);
}

/* Finds the route, and with it how errors are told from here on. */
static enum route_result find_route(struct request *request, struct reply *reply,
    const struct config *config, struct route_match *match)
{
    enum route_result result =
        router_find(config->router, request->method, request->path, request->arena, match);
    const struct route *route = result == ROUTE_FOUND ? match->target : NULL;
    error_body_use(reply, route ? &route->errors : &config->errors);
    return result;
}

static bool is_too_long(
    const struct request *request, const struct config *config, const struct route *route)
{
    return request->body_length > (route ? route->body_max : config->body_max);
}

int gateway_handle(struct request *request, struct reply *reply)
{
    const struct config *config = request->context;
    struct route_match match;
    int status;
    if (admin_answers(request, reply, config, &status))
        return status;
    enum route_result result = find_route(request, reply, config, &match);
    if (cors_answers(request, reply, config, &match))
        return 204;
    if (is_too_long(request, config, result == ROUTE_FOUND ? match.target : NULL))
        return reply_error(
            reply, 413, reply_reason(413), "The request body is longer than allowed");
    switch (result) {
    case ROUTE_FOUND:
        return answer_unless_gone(request, reply, config, &match);
    case ROUTE_NO_METHOD:
        return reply_method_not_allowed(reply, match.allow);
    case ROUTE_BAD_PATH:
        return reply_error(reply, 400, "Bad request", "The path is not a valid one");
    case ROUTE_NO_PATH:
        break;
    }
    return reply_error(reply, 404, "Not found", "No route has this path");
}

int gateway_refuse(struct request *request, struct reply *reply, int status, const char *why)
{
    struct route_match match;
    find_route(request, reply, request->context, &match);
    cors_answers(request, reply, request->context, &match);
    return reply_error(reply, status, reply_reason(status), why);
}
