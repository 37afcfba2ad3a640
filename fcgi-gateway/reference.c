/* reference: looks up, per request, what reference_parse.c has read.
 *
 * A look-up in a call's reply gives the bytes of that part, so that what a service wrote reaches
 * the client as it was written. Knows nothing of templates and nothing of how calls are made.
 */
#include "reference.h"
#include "lib/uri.h"

enum value_kind {
    VALUE_MISSING,
    VALUE_TEXT, /* from the request: text that is not JSON yet */
    VALUE_RAW,  /* a number, written as JSON already */
    VALUE_NODE, /* a part of a call's reply */
};

struct value {
    enum value_kind kind;
    struct str text;
    const struct json *json;
    uint32_t node;
};

static struct value text_value(struct str text)
{
    return (struct value){ .kind = text.at ? VALUE_TEXT : VALUE_MISSING, .text = text };
}

static struct value number_value(int number, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena);
    buf_int(&text, number);
    return (struct value){ .kind = VALUE_RAW, .text = buf_as_str(&text) };
}

/* A path parameter that is digits is a number, and JSON allows no leading zeros. */
static struct value find_parameter(const char *name, const struct route_match *match)
{
    for (unsigned i = 0; i < match->parameter_count; i++) {
        const struct route_parameter *parameter = &match->parameters[i];
        if (!str_is(parameter->name, name))
            continue;
        struct str text = parameter->value;
        if (!parameter->is_int)
            return text_value(text);
        while (text.len > 1 && *text.at == '0')
            text = (struct str){ text.at + 1, text.len - 1 };
        return (struct value){ .kind = VALUE_RAW, .text = text };
    }
    return (struct value){ .kind = VALUE_MISSING };
}

/* Anywhere but in a path it is a text as others are. */
static struct value find_rest(
    const struct reference *reference, const struct reference_values *values)
{
    struct str text;
    if (!uri_decode(reference_raw_rest(reference, values), values->request->arena, &text))
        return (struct value){ .kind = VALUE_MISSING };
    return text_value(text);
}

static struct value find_query(const char *name, struct request *request)
{
    struct str text = { NULL, 0 };
    enum uri_parameter found = uri_parameter(request->query, name, request->arena, &text);
    if (found != URI_PRESENT)
        return (struct value){ .kind = VALUE_MISSING };
    return (struct value){ .kind = VALUE_TEXT, .text = text };
}

static struct value find_error(
    const char *name, const struct error_values *error, struct arena *arena)
{
    if (!error)
        return (struct value){ .kind = VALUE_MISSING };
    if (strcmp(name, "title") == 0)
        return text_value(error->title);
    if (strcmp(name, "message") == 0)
        return text_value(error->message);
    if (strcmp(name, "cause") == 0)
        return text_value(str_of(error->cause));
    struct buf number;
    buf_init(&number, arena);
    buf_int(&number, error->status);
    return (struct value){ .kind = VALUE_RAW, .text = buf_as_str(&number) };
}

static bool element_number(struct str step, uint32_t *number)
{
    uint32_t value = 0;
    for (size_t i = 0; i < step.len; i++) {
        if (step.at[i] < '0' || step.at[i] > '9' || i == 9)
            return false;
        value = value * 10 + (step.at[i] - '0');
    }
    *number = value;
    return step.len > 0;
}

/* Follows the reference's steps from `node` on. */
static struct value find_in_json(
    const struct reference *reference, const struct json *json, uint32_t node)
{
    uint32_t number;
    for (unsigned i = 0; i < reference->step_count && node != JSON_NONE; i++) {
        struct str step = reference->steps[i];
        if (json->nodes[node].type == JSON_OBJECT)
            node = json_member(json, node, step);
        else
            node = element_number(step, &number) ? json_element(json, node, number) : JSON_NONE;
    }
    if (node == JSON_NONE)
        return (struct value){ .kind = VALUE_MISSING };
    return (struct value){ .kind = VALUE_NODE, .json = json, .node = node };
}

bool reference_is_cookie(const struct reference *reference)
{
    return reference->root == REFERENCE_CALL_HEADER &&
           strcasecmp(reference->name, "Set-Cookie") == 0;
}

/* Fields of one name are one list in several lines (RFC 9110 section 5.3). Cookies are not: what is
 * in them has commas of its own. */
static struct str find_field(
    const struct reference *reference, const struct call *call, struct arena *arena)
{
    struct str first = call_field(call, reference->name);
    struct buf list;
    unsigned count = 0;
    buf_init(&list, arena);
    for (const struct call_field *field = call->first_field; field; field = field->next) {
        if (!str_is_nocase(field->name, reference->name))
            continue;
        buf_text(&list, count++ ? ", " : "");
        buf_str(&list, field->value);
    }
    return count < 2 || reference_is_cookie(reference) ? first : buf_as_str(&list);
}

static struct value find_in_call(
    const struct reference *reference, const struct call_reply *reply, struct arena *arena)
{
    if (reference->root == REFERENCE_CALL && reply->is_there)
        return find_in_json(reference, &reply->json, 0);
    if (reference->root == REFERENCE_CALL || !reply->call)
        return (struct value){ .kind = VALUE_MISSING };
    if (reference->root == REFERENCE_CALL_HEADER)
        return text_value(find_field(reference, reply->call, arena));
    return number_value(reply->call->status, arena);
}

static const struct call_reply *find_reply(
    const struct reference *reference, const struct reference_values *values)
{
    static const struct call_reply nothing;
    if (reference->call < CALLS_MAX)
        return &values->replies[reference->call];
    return values->reply ? values->reply : &nothing;
}

static struct value find_any(
    const struct reference *reference, const struct reference_values *values)
{
    switch (reference->root) {
    case REFERENCE_PARAMETER:
        return reference->is_rest ? find_rest(reference, values)
                                  : find_parameter(reference->name, values->match);
    case REFERENCE_QUERY:
        return find_query(reference->name, values->request);
    case REFERENCE_HEADER:
        return text_value(str_of(request_header(values->request, reference->name)));
    case REFERENCE_ERROR:
        return find_error(reference->name, values->error, values->request->arena);
    case REFERENCE_BODY:
        if (values->body)
            return find_in_json(reference, values->body, 0);
        break;
    case REFERENCE_EACH:
        if (values->each)
            return find_in_json(reference, values->each, values->element);
        break;
    case REFERENCE_CALL:
    case REFERENCE_CALL_STATUS:
    case REFERENCE_CALL_HEADER:
        return find_in_call(reference, find_reply(reference, values), values->request->arena);
    }
    return (struct value){ .kind = VALUE_MISSING };
}

/* Digits only, as {id:int} in a route; no leading zeros, which JSON does not know. */
static bool is_whole_number(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return text.len == 1 || (text.len > 1 && *text.at != '0');
}

static struct value find(const struct reference *reference, const struct reference_values *values)
{
    struct value value = find_any(reference, values);
    if (!reference->is_int || value.kind == VALUE_MISSING)
        return value;
    if (value.kind == VALUE_NODE && value.json->nodes[value.node].type != JSON_NUMBER)
        return (struct value){ .kind = VALUE_MISSING };
    if (value.kind == VALUE_NODE)
        value.text = json_raw(value.json, value.node);
    value.kind = is_whole_number(value.text) ? VALUE_RAW : VALUE_MISSING;
    return value;
}

const struct call_field *reference_fields(
    const struct reference *reference, const struct reference_values *values)
{
    const struct call_reply *reply = find_reply(reference, values);
    return reply->call ? reply->call->first_field : NULL;
}

struct str reference_raw_rest(
    const struct reference *reference, const struct reference_values *values)
{
    return find_parameter(reference->name, values->match).text;
}

bool reference_node(const struct reference *reference, const struct reference_values *values,
    const struct json **json, uint32_t *node)
{
    struct value value = find(reference, values);
    *json = value.json;
    *node = value.node;
    return value.kind == VALUE_NODE;
}

bool reference_is_optional(const struct reference *reference)
{
    return reference->root == REFERENCE_QUERY || reference->root == REFERENCE_HEADER ||
           reference->root == REFERENCE_BODY;
}

bool reference_may_be_object(const struct reference *reference)
{
    if (reference->root == REFERENCE_PARAMETER && !reference->name)
        return true; /* it could not be read, which has been told */
    return !reference->is_int &&
           (reference->root == REFERENCE_BODY || reference->root == REFERENCE_EACH ||
               reference->root == REFERENCE_CALL);
}

bool reference_is_clients(const struct reference *reference)
{
    return reference->root == REFERENCE_PARAMETER || reference_is_optional(reference);
}

/* Has the client sent something there, if not what is asked for? null says that it has not. */
static bool is_something(const struct reference *reference, const struct reference_values *values)
{
    struct value value = find_any(reference, values);
    if (value.kind == VALUE_NODE)
        return value.json->nodes[value.node].type != JSON_NULL;
    return value.kind != VALUE_MISSING;
}

const char *reference_lack(
    const struct reference *reference, const struct reference_values *values, struct str array)
{
    struct buf text;
    size_t known = array.at ? strlen("each") : 0;
    buf_init(&text, values->request->arena);
    buf_str(&text, array);
    buf_add(&text, reference->text.at + known, reference->text.len - known);
    buf_text(&text, is_something(reference, values) ? " cannot be used here" : " is missing");
    return buf_as_text(&text);
}

bool reference_is_true(const struct reference *reference, const struct reference_values *values)
{
    struct value value = find(reference, values);
    if (value.kind != VALUE_NODE)
        return value.kind != VALUE_MISSING;
    enum json_type type = value.json->nodes[value.node].type;
    return type != JSON_NULL && type != JSON_FALSE;
}

bool reference_write_json(
    const struct reference *reference, const struct reference_values *values, struct buf *out)
{
    struct value value = find(reference, values);
    switch (value.kind) {
    case VALUE_MISSING:
        return false;
    case VALUE_TEXT:
        buf_json_string(out, value.text);
        return true;
    case VALUE_RAW:
        buf_str(out, value.text);
        return true;
    case VALUE_NODE:
        buf_str(out, json_raw(value.json, value.node));
        return true;
    }
    return false;
}

bool reference_text(
    const struct reference *reference, const struct reference_values *values, struct str *text)
{
    struct value value = find(reference, values);
    if (value.kind != VALUE_NODE) {
        *text = value.text;
        return value.kind != VALUE_MISSING;
    }
    switch (value.json->nodes[value.node].type) {
    case JSON_STRING:
        *text = json_string(value.json, value.node, values->request->arena);
        return true;
    case JSON_NUMBER:
    case JSON_TRUE:
    case JSON_FALSE:
        *text = json_raw(value.json, value.node);
        return true;
    default:
        return false;
    }
}
