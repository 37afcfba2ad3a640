/* reference: {a.b.c}, parsed when the file is read, looked up per request.
 *
 * A look-up in a call's reply gives the bytes of that part, so that what a service wrote reaches
 * the client as it was written. Knows nothing of templates and nothing of how calls are made.
 */
#include "reference.h"
#include <stdio.h>
#include "lib/uri.h"
#include "mistake.h"

#define STEPS_MAX 32 /* nobody writes deeper; bounds what is split */

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

static const char *const error_members[] = { "title", "message", "status" };
#define ERROR_MEMBERS (sizeof error_members / sizeof *error_members)

/* The next parameter name of a pattern at or after *at: "{name}", "{name:int}", "{name*}". */
static bool next_parameter(struct str pattern, size_t *at, struct str *name)
{
    const char *open = memchr(pattern.at + *at, '{', pattern.len - *at);
    if (!open)
        return false;
    size_t start = open + 1 - pattern.at, end = start;
    while (end < pattern.len && !strchr(":*}", pattern.at[end]))
        end++;
    *name = (struct str){ pattern.at + start, end - start };
    *at = end;
    return true;
}

bool reference_is_parameter(struct str pattern, struct str name)
{
    struct str parameter;
    for (size_t at = 0; next_parameter(pattern, &at, &parameter);)
        if (str_eq(parameter, name))
            return true;
    return false;
}

static unsigned split(struct str text, struct str *words)
{
    unsigned count = 0;
    for (size_t start = 0; start <= text.len && count < STEPS_MAX; count++) {
        const char *dot = memchr(text.at + start, '.', text.len - start);
        size_t end = dot ? (size_t)(dot - text.at) : text.len;
        words[count] = (struct str){ text.at + start, end - start };
        start = end + 1;
    }
    return count;
}

static const char *unknown_name(
    struct str word, const struct reference_scope *scope, struct arena *arena)
{
    const char *known[CALLS_MAX + ROUTE_PARAMETERS_MAX + 4] = { "query", "header", "body",
        "error" };
    unsigned count = 4;
    for (unsigned i = 0; i < scope->call_count; i++)
        known[count++] = arena_copy(arena, scope->calls[i].at, scope->calls[i].len);
    struct str name;
    for (size_t at = 0;
         count < sizeof known / sizeof *known && next_parameter(scope->pattern, &at, &name);)
        known[count++] = arena_copy(arena, name.at, name.len);
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, "'%.*s' is no call and no path parameter of this route%s", (int)word.len,
        word.at, mistake_suggestion(arena, word, known, count));
    return buf_as_text(&text);
}

static const char *parse_error_member(
    const struct reference_scope *scope, struct str member, struct arena *arena)
{
    if (!scope->has_error)
        return "{error...} can only stand in a 'failure' body";
    for (unsigned i = 0; i < ERROR_MEMBERS; i++)
        if (str_is(member, error_members[i]))
            return NULL;
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, "an error has no '%.*s', only title, message and status%s", (int)member.len,
        member.at, mistake_suggestion(arena, member, error_members, ERROR_MEMBERS));
    return buf_as_text(&text);
}

/* "query.page", "header.User-Agent", "error.title": exactly one word behind the first. */
static const char *parse_named(enum reference_root root, const struct str *words, unsigned count,
    struct arena *arena, struct reference *reference)
{
    if (count != 2 || words[1].len == 0)
        return "write {query.name}, {header.Name} or {error.title}";
    reference->root = root;
    reference->name = arena_copy(arena, words[1].at, words[1].len);
    return NULL;
}

/* The words behind the first one as steps into JSON. */
static const char *parse_steps(
    const struct str *words, unsigned count, struct arena *arena, struct reference *reference)
{
    struct str *steps = arena_alloc(arena, count * sizeof *steps);
    for (unsigned i = 1; i < count; i++) {
        if (words[i].len == 0)
            return "there is nothing between two dots";
        steps[i - 1] = words[i];
    }
    reference->steps = steps;
    reference->step_count = count - 1;
    return NULL;
}

/* "$status" or "$headers.Name" behind a call's name */
static const char *parse_came_with(
    const struct str *words, unsigned count, struct arena *arena, struct reference *reference)
{
    if (str_is(words[1], "$status") && count == 2) {
        reference->root = REFERENCE_CALL_STATUS;
        return NULL;
    }
    if (str_is(words[1], "$headers") && count == 3 && words[2].len) {
        reference->root = REFERENCE_CALL_HEADER;
        reference->name = arena_copy(arena, words[2].at, words[2].len);
        return NULL;
    }
    return "a call's reply came with $status and $headers.Name only";
}

static const char *parse_call(unsigned call, const struct str *words, unsigned count,
    struct reference_scope *scope, struct arena *arena, struct reference *reference)
{
    scope->used |= (uint32_t)1 << call;
    reference->root = REFERENCE_CALL;
    reference->call = call;
    if (count > 1 && words[1].len && *words[1].at == '$')
        return parse_came_with(words, count, arena, reference);
    return parse_steps(words, count, arena, reference);
}

/* Takes ":int" off the end. */
static bool take_type(struct str *inside)
{
    if (inside->len < 4 || memcmp(inside->at + inside->len - 4, ":int", 4) != 0)
        return false;
    inside->len -= 4;
    return true;
}

const char *reference_parse(struct str inside, struct reference_scope *scope, struct arena *arena,
    struct reference *reference)
{
    struct str words[STEPS_MAX];
    *reference = (struct reference){ .text = inside, .is_int = take_type(&inside) };
    unsigned count = split(inside, words);
    for (unsigned i = 0; i < scope->call_count; i++)
        if (str_eq(words[0], scope->calls[i]))
            return parse_call(i, words, count, scope, arena, reference);
    if (str_is(words[0], "query"))
        return parse_named(REFERENCE_QUERY, words, count, arena, reference);
    if (str_is(words[0], "header"))
        return parse_named(REFERENCE_HEADER, words, count, arena, reference);
    if (str_is(words[0], "body")) {
        reference->root = REFERENCE_BODY;
        scope->uses_body = true;
        return parse_steps(words, count, arena, reference);
    }
    if (str_is(words[0], "error")) {
        const char *wrong = parse_named(REFERENCE_ERROR, words, count, arena, reference);
        return wrong ? wrong : parse_error_member(scope, words[1], arena);
    }
    if (!reference_is_parameter(scope->pattern, words[0]))
        return unknown_name(words[0], scope, arena);
    if (count > 1)
        return "a path parameter has no members";
    reference->root = REFERENCE_PARAMETER;
    reference->name = arena_copy(arena, words[0].at, words[0].len);
    return NULL;
}

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

static struct value find_in_json(const struct reference *reference, const struct json *json)
{
    uint32_t node = 0, number;
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

static struct value find_in_call(
    const struct reference *reference, const struct call_reply *reply, struct arena *arena)
{
    if (reference->root == REFERENCE_CALL && reply->is_there)
        return find_in_json(reference, &reply->json);
    if (reference->root == REFERENCE_CALL || !reply->call)
        return (struct value){ .kind = VALUE_MISSING };
    if (reference->root == REFERENCE_CALL_HEADER)
        return text_value(call_field(reply->call, reference->name));
    return number_value(reply->call->status, arena);
}

static struct value find_any(
    const struct reference *reference, const struct reference_values *values)
{
    switch (reference->root) {
    case REFERENCE_PARAMETER:
        return find_parameter(reference->name, values->match);
    case REFERENCE_QUERY:
        return find_query(reference->name, values->request);
    case REFERENCE_HEADER:
        return text_value(str_of(request_header(values->request, reference->name)));
    case REFERENCE_ERROR:
        return find_error(reference->name, values->error, values->request->arena);
    case REFERENCE_BODY:
        if (values->body)
            return find_in_json(reference, values->body);
        break;
    case REFERENCE_CALL:
    case REFERENCE_CALL_STATUS:
    case REFERENCE_CALL_HEADER:
        return find_in_call(reference, &values->replies[reference->call], values->request->arena);
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

bool reference_node(const struct reference *reference, const struct reference_values *values,
    const struct json **json, uint32_t *node)
{
    struct value value = find(reference, values);
    *json = value.json;
    *node = value.node;
    return value.kind == VALUE_NODE;
}

bool reference_is_clients(const struct reference *reference)
{
    switch (reference->root) {
    case REFERENCE_PARAMETER:
    case REFERENCE_QUERY:
    case REFERENCE_HEADER:
    case REFERENCE_BODY:
        return true;
    default:
        return false;
    }
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
