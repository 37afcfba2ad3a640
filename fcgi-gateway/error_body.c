/* error_body: writes the gateway's own errors.
 *
 * Whoever meets an error says what happened; that it is one body for all is decided here. Knows
 * nothing of calls and routes.
 */
#include "error_body.h"
#include "lib/request.h"
#include "template.h"

#define PROBLEM "application/problem+json"

static struct str trim(struct str text)
{
    while (text.len && (*text.at == ' ' || *text.at == '\t'))
        text = (struct str){ text.at + 1, text.len - 1 };
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Takes off what stands before the next `separator` that is not inside of a quoted string. */
static struct str take(struct str *rest, char separator)
{
    bool is_quoted = false;
    size_t end = 0;
    for (; end < rest->len && (is_quoted || rest->at[end] != separator); end++) {
        if (rest->at[end] == '"')
            is_quoted = !is_quoted;
        else if (rest->at[end] == '\\' && is_quoted && end + 1 < rest->len)
            end++;
    }
    struct str piece = { rest->at, end };
    size_t taken = end < rest->len ? end + 1 : end;
    *rest = (struct str){ rest->at + taken, rest->len - taken };
    return trim(piece);
}

/* Of "q=0.5" 500, from 0 to 1000; of what is no weight 1000 (RFC 9110 section 12.4.2). */
static int weight_of(struct str parameter)
{
    struct str name = take(&parameter, '=');
    int weight = 0, digit = 1000;
    if (!str_is_nocase(name, "q") || parameter.len == 0 || *parameter.at != '0')
        return 1000;
    for (size_t i = 2; i < parameter.len && i < 5 && parameter.at[1] == '.'; i++) {
        digit /= 10;
        if (parameter.at[i] >= '0' && parameter.at[i] <= '9')
            weight += (parameter.at[i] - '0') * digit;
    }
    return weight;
}

/* The weight of a media type that the field names; 0: it does not, or refuses it. Wildcards name
 * nothing. */
static int named_weight(const char *accept, const char *type)
{
    struct str rest = str_of(accept);
    int most = 0;
    while (rest.len) {
        struct str range = take(&rest, ',');
        int weight = 1000;
        if (!str_is_nocase(take(&range, ';'), type))
            continue;
        while (range.len && weight == 1000)
            weight = weight_of(take(&range, ';'));
        most = weight > most ? weight : most;
    }
    return most;
}

bool error_body_accepts_problem(const char *accept)
{
    int weight = named_weight(accept, PROBLEM);
    return weight > 0 && weight >= named_weight(accept, "application/json");
}

static void member(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, ",\"%s\":", name);
    buf_json_string(out, value);
}

/* RFC 9457 section 3.1. Type about:blank says that the problem is the status's, so the title is the
 * status's too (section 4.2.1); what is special about this one is its detail and, for programs,
 * `cause`. The request id finds it in the logs. */
static struct str problem(const struct request *request, const struct error_values *error)
{
    struct arena *arena = request->arena;
    const char *reason = reply_reason(error->status);
    struct buf out, detail, instance;
    buf_init(&out, arena);
    buf_init(&detail, arena);
    buf_init(&instance, arena);
    buf_str(&detail, error->title);
    if (error->message.at) {
        buf_text(&detail, ": ");
        buf_str(&detail, error->message);
    }
    buf_printf(&instance, "urn:request:%s", request->id);
    buf_text(&out, "{\"type\":\"about:blank\"");
    member(&out, "title", *reason ? str_of(reason) : error->title);
    buf_printf(&out, ",\"status\":%d", error->status);
    member(&out, "detail", buf_as_str(&detail));
    member(&out, "instance", buf_as_str(&instance));
    member(&out, "cause", str_of(error->cause));
    buf_char(&out, '}');
    return buf_as_str(&out);
}

/* The file's shape; {error.message} is never missing in it. */
static struct str shaped(
    struct request *request, const struct template *shape, const struct error_values *error)
{
    struct error_values whole = *error;
    struct reference_values values = { .request = request, .error = &whole };
    struct buf out;
    buf_init(&out, request->arena);
    if (!whole.message.at)
        whole.message = whole.title;
    return template_write(shape, &values, &out) ? buf_as_str(&out) : STR("{}");
}

static struct str usual(struct arena *arena, const struct error_values *error)
{
    struct buf out;
    buf_init(&out, arena);
    buf_text(&out, "{\"error\":");
    buf_json_string(&out, error->title);
    if (error->message.at)
        member(&out, "message", error->message);
    buf_char(&out, '}');
    return buf_as_str(&out);
}

int error_reply(struct reply *reply, const struct error_values *error)
{
    struct request *request = reply->request;
    const struct error_plan *plan = reply->errors;
    reply_field(reply, "Vary", STR("Accept"));
    if (error_body_accepts_problem(request_header(request, "Accept"))) {
        reply_field(reply, "Content-Type", STR(PROBLEM));
        reply->body = problem(request, error);
        return error->status;
    }
    return reply_json(reply, error->status,
        plan->body ? shaped(request, plan->body, error) : usual(request->arena, error));
}

/* reply->write_error: what lib/ and the gateway's steps find wrong with a request, all of it not
 * about a call. */
static int write_error(struct reply *reply, int status, const char *error, const char *message)
{
    enum error_cause cause = status == 503                    ? ERROR_REFUSED
                             : status >= 500                  ? ERROR_INTERNAL
                             : status == 404 || status == 405 ? ERROR_ROUTE
                                                              : ERROR_REQUEST;
    struct error_values values = { str_of(error), str_of(message), status,
        error_cause_name(cause) };
    return error_reply(reply, &values);
}

void error_body_use(struct reply *reply, const struct error_plan *plan)
{
    reply->write_error = write_error;
    reply->errors = plan;
    reply->crash_body = plan->crash_body;
}
