/* api_reply: what a route may answer, as OpenAPI's responses.
 *
 * Success first, then what is wrong with the request, then what may be wrong behind the gateway.
 * What holds for every path (404, 405, a header section that is too long) is no route's and is not
 * repeated for each.
 */
#include "api_reply.h"
#include "api_path.h"
#include "json_out.h"

#define JSON_TYPE "application/json"
#define PROBLEM_TYPE "application/problem+json" /* see error_body.c */
#define REFERENCE_TO(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define STATUS_END 600

#define USUAL_ERROR_SCHEMA                                                                         \
    "{\"type\":\"object\",\"required\":[\"error\"],\"properties\":{"                               \
    "\"error\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}}}"

/* RFC 9457 section 3.1, with the members that error_body.c writes. */
#define PROBLEM_SCHEMA                                                                             \
    "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\"],\"properties\":{"           \
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"                              \
    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"                          \
    "\"instance\":{\"type\":\"string\"},\"cause\":{\"type\":\"string\"}}}"

/* An object of responses while it is written: a status stands in it once. */
struct replies {
    struct buf *out;
    struct str error_schema; /* of this route's errors */
    bool is_there[STATUS_END];
};

/* Begins a response; false where that status is there already. End it with a brace. */
static bool begin(struct replies *self, int status, const char *description)
{
    char name[16];
    if (self->is_there[status])
        return false;
    self->is_there[status] = true;
    snprintf(name, sizeof name, "%d", status);
    json_out_name(self->out, name);
    buf_char(self->out, '{');
    json_out_text(self->out, "description", str_of(description));
    return true;
}

static void write_content(struct replies *self, struct str schema)
{
    json_out_name(self->out, "content");
    buf_text(self->out, "{\"" JSON_TYPE "\":{\"schema\":");
    buf_str(self->out, schema);
    buf_text(self->out, "}}");
}

/* The gateway's own error: in the file's shape, or as problem details for clients that ask. */
static void write_error_content(struct replies *self)
{
    write_content(self, self->error_schema);
    self->out->len--; /* once more into the braces */
    buf_text(self->out, ",\"" PROBLEM_TYPE "\":{\"schema\":" REFERENCE_TO("Problem") "}}");
}

static void write_error(struct replies *self, int status, const char *description)
{
    if (!begin(self, status, description))
        return;
    write_error_content(self);
    buf_char(self->out, '}');
}

/* "2XX" or "4XX": statuses that a service chooses. */
static void write_range(
    struct replies *self, const char *range, const char *description, struct str schema)
{
    json_out_name(self->out, range);
    buf_char(self->out, '{');
    json_out_text(self->out, "description", str_of(description));
    if (schema.at)
        write_content(self, schema);
    buf_char(self->out, '}');
}

/* --- success --- */

/* A GET that succeeds is answered 200; with which status a change does, the service decides. */
static void write_pass(struct replies *self, const struct route *route, unsigned method)
{
    const char *status = method == METHOD_GET ? "200" : "2XX";
    write_range(self, status, "Success: the service's reply", route->schema);
    write_range(self, "4XX", "Refused: the service's reply", (struct str){ NULL, 0 });
}

static void write_composed(struct replies *self, const struct route *route)
{
    struct str schema = route->schema;
    if (!schema.at) /* what a jq program gives is known to itself */
        schema = route->reply_shape.at && !route->jq ? route->reply_shape : STR("{}");
    if (route->status_reference) {
        write_range(self, "2XX", "Success", schema);
    } else if (begin(self, route->status, "Success")) {
        if (route->status != 204)
            write_content(self, schema);
        buf_char(self->out, '}');
    }
}

#define HEALTH_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"overall_status\",\"gateway\"],\"properties\":{"          \
    "\"overall_status\":{\"enum\":[\"healthy\",\"degraded\"]},"                                    \
    "\"gateway\":{\"type\":\"object\",\"properties\":{\"status\":{\"const\":\"healthy\"},"         \
    "\"service\":{\"type\":\"string\"},\"port\":{\"type\":\"integer\"}}}},"                        \
    "\"additionalProperties\":{\"type\":\"object\",\"properties\":{"                               \
    "\"status\":{\"enum\":[\"healthy\",\"unhealthy\",\"unreachable\"]},"                           \
    "\"reachable\":{\"type\":\"boolean\"},\"http_code\":{\"type\":\"integer\"},\"data\":{}}}}"

static void write_health(struct replies *self, const struct route *route)
{
    struct str schema = route->schema.at ? route->schema : STR(HEALTH_SCHEMA);
    begin(self, 200, "All services are well");
    write_content(self, schema);
    buf_char(self->out, '}');
    begin(self, 503, "Not all services are well");
    write_content(self, schema);
    buf_char(self->out, '}');
}

static void write_openapi(struct replies *self)
{
    begin(self, 200, "This description of the API");
    write_content(self, STR("{\"type\":\"object\"}"));
    buf_char(self->out, '}');
}

static void write_redirect(struct replies *self, const struct route *route)
{
    if (!begin(self, route->status, "It is elsewhere"))
        return;
    json_out_name(self->out, "headers");
    buf_text(self->out, "{\"Location\":{\"schema\":{\"type\":\"string\"}}}}");
}

static void write_success(struct replies *self, const struct route *route, unsigned method)
{
    switch (route->kind) {
    case ROUTE_PASS:
        write_pass(self, route, method);
        break;
    case ROUTE_REDIRECT:
        write_redirect(self, route);
        break;
    case ROUTE_COMPOSE:
        write_composed(self, route);
        break;
    case ROUTE_HEALTH:
        write_health(self, route);
        break;
    case ROUTE_OPENAPI:
        write_openapi(self);
        break;
    }
}

/* --- errors --- */

static void write_blamed_on_client(
    struct replies *self, const struct route *route, bool may_have_body)
{
    if (route->needs_body)
        write_error(self, 400, "The body is not JSON, or lacks what is needed");
    else if (route->inputs)
        write_error(self, 400, "The request lacks what is needed");
    if (may_have_body)
        write_error(self, 413, "The body is longer than allowed");
    if (route->needs_body)
        write_error(self, 415, "The body is of another type than application/json");
    if (route->call_count > 0)
        write_range(self, "4XX", "Refused: the reply of the service that refused", STR("{}"));
}

/* What may go wrong behind the gateway; causes with the same status are one response. */
static void write_blamed_on_services(struct replies *self, const struct route *route)
{
    static const char *const texts[] = {
        [ERROR_UNREACHABLE] = "cannot be reached",
        [ERROR_TIMEOUT] = "did not answer in time",
        [ERROR_BROKEN] = "answered what cannot be used",
    };
    const int *statuses = route->errors.statuses;
    const unsigned count = sizeof texts / sizeof *texts;
    for (unsigned i = 0; i < count; i++) {
        struct buf text;
        buf_init(&text, self->out->arena);
        buf_printf(&text, "A service %s", texts[i]);
        for (unsigned k = i + 1; k < count; k++)
            if (statuses[k] == statuses[i])
                buf_printf(&text, ", or %s", texts[k]);
        if (!begin(self, statuses[i], buf_as_text(&text)))
            continue;
        if (route->failure_shape.at)
            write_content(self, route->failure_shape);
        else
            write_error_content(self);
        buf_char(self->out, '}');
    }
}

void api_replies_write(
    struct buf *out, const struct config *config, const struct route *route, unsigned method)
{
    struct replies self = { .out = out, .error_schema = route->errors.body_shape };
    if (str_eq(route->errors.body_shape, config->errors.body_shape))
        self.error_schema = STR(REFERENCE_TO("Error"));
    else if (!self.error_schema.at)
        self.error_schema = STR(USUAL_ERROR_SCHEMA);
    json_out_name(out, "responses");
    buf_char(out, '{');
    write_success(&self, route, method);
    write_blamed_on_client(&self, route, api_may_have_body(route, method));
    if (route->kind == ROUTE_PASS || route->call_count > 0)
        write_blamed_on_services(&self, route);
    buf_char(out, '}');
}

void api_components_write(struct buf *out, const struct config *config)
{
    struct str shape = config->errors.body_shape;
    buf_text(out, "{\"schemas\":{\"Error\":");
    buf_str(out, shape.at ? shape : STR(USUAL_ERROR_SCHEMA));
    buf_text(out, ",\"Problem\":" PROBLEM_SCHEMA "}}");
}
