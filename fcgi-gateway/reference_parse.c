/* reference_parse: from the text between the braces to a reference; what is wrong with it is told.
 *
 * Happens once, when the file is read. reference.c looks up what was parsed here.
 */
#include <stdio.h>
#include <strings.h>
#include "field_plan.h"
#include "mistake.h"
#include "reference.h"

#define STEPS_MAX 32 /* nobody writes deeper; bounds what is split */

static const char *const error_members[] = { "title", "message", "status", "cause" };
#define ERROR_MEMBERS (sizeof error_members / sizeof *error_members)

/* First words that mean something else than a parameter or a call. */
static const char *const reserved[] = { "query", "header", "body", "error", "each", "reply" };
#define RESERVED (sizeof reserved / sizeof *reserved)

const char *reference_reserved(unsigned index)
{
    return index < RESERVED ? reserved[index] : NULL;
}

bool reference_is_reserved(struct str word)
{
    for (unsigned i = 0; i < RESERVED; i++)
        if (str_is(word, reserved[i]))
            return true;
    return false;
}

/* The next parameter name of a pattern at or after *at: "{name}", "{name:int}", "{name*}". */
static bool next_parameter(struct str pattern, size_t *at, struct str *name)
{
    /* What is said for all routes (defaults) has no pattern, and then there is nothing at .at. */
    const char *open = *at < pattern.len ? memchr(pattern.at + *at, '{', pattern.len - *at) : NULL;
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

/* Is that path parameter one that takes the rest of the path, {name*}? */
static bool is_rest(struct str pattern, struct str name)
{
    struct str parameter;
    for (size_t at = 0; next_parameter(pattern, &at, &parameter);)
        if (str_eq(parameter, name))
            return at < pattern.len && pattern.at[at] == '*';
    return false;
}

/* Returns how many; one more than STEPS_MAX says that there are too many. */
static unsigned split(struct str text, struct str *words)
{
    unsigned count = 0;
    for (size_t start = 0; start <= text.len; count++) {
        if (count == STEPS_MAX)
            return count + 1;
        const char *dot = memchr(text.at + start, '.', text.len - start);
        size_t end = dot ? (size_t)(dot - text.at) : text.len;
        words[count] = (struct str){ text.at + start, end - start };
        start = end + 1;
    }
    return count;
}

/* Only what may stand here is worth a suggestion. */
static bool may_stand(const char *word, const struct reference_scope *scope)
{
    return (scope->has_error || strcmp(word, "error") != 0) &&
           (scope->pattern.len || strcmp(word, "body") != 0) &&
           (scope->has_each || strcmp(word, "each") != 0) &&
           (scope->has_reply || strcmp(word, "reply") != 0);
}

static const char *unknown_name(
    struct str word, const struct reference_scope *scope, struct arena *arena)
{
    const char *known[RESERVED + CALLS_MAX + ROUTE_PARAMETERS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < RESERVED; i++)
        if (may_stand(reserved[i], scope))
            known[count++] = reserved[i];
    for (unsigned i = 0; i < scope->call_count; i++)
        if (scope->calls[i].len)
            known[count++] = arena_copy(arena, scope->calls[i].at, scope->calls[i].len);
    struct str name;
    for (size_t at = 0;
         count < sizeof known / sizeof *known && next_parameter(scope->pattern, &at, &name);)
        known[count++] = arena_copy(arena, name.at, name.len);
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, "'%.*s' is %s%s", (int)word.len, word.at,
        scope->pattern.len ? "no call and no path parameter of this route" : "not known here",
        mistake_suggestion(arena, word, known, count));
    return buf_as_text(&text);
}

static const char *parse_error_member(
    const struct reference_scope *scope, struct str member, struct arena *arena)
{
    if (!scope->has_error)
        return "{error...} can only stand in 'failure' and 'errors.body'";
    for (unsigned i = 0; i < ERROR_MEMBERS; i++)
        if (str_is(member, error_members[i]))
            return NULL;
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, "an error has no '%.*s'%s", (int)member.len, member.at,
        mistake_suggestion(arena, member, error_members, ERROR_MEMBERS));
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

/* A call's reply, or the one of an element. */
static const char *parse_reply(unsigned call, const struct str *words, unsigned count,
    struct arena *arena, struct reference *reference)
{
    reference->root = REFERENCE_CALL;
    reference->call = call;
    if (count > 1 && words[1].len && *words[1].at == '$')
        return parse_came_with(words, count, arena, reference);
    return parse_steps(words, count, arena, reference);
}

static bool is_number(struct str step)
{
    for (size_t i = 0; i < step.len; i++)
        if (step.at[i] < '0' || step.at[i] > '9')
            return false;
    return true;
}

static const char *parse_call(unsigned call, const struct str *words, unsigned count,
    struct reference_scope *scope, struct arena *arena, struct reference *reference)
{
    scope->used |= (uint32_t)1 << call;
    const char *wrong = parse_reply(call, words, count, arena, reference);
    if (!wrong && reference->root != REFERENCE_CALL && scope->many >> call & 1)
        return "a call with 'each' has many replies (in its 'result' write {reply.$status})";
    if (!wrong && reference->step_count && scope->arrays >> call & 1 &&
        !is_number(reference->steps[0]))
        return "a call with 'each' gives an array (of each element's part make a 'result')";
    return wrong;
}

/* {each...} and {reply...} */
static const char *parse_element(const struct str *words, unsigned count,
    const struct reference_scope *scope, struct arena *arena, struct reference *reference)
{
    if (str_is(words[0], "reply"))
        return scope->has_reply ? parse_reply(REFERENCE_REPLY, words, count, arena, reference)
                                : "{reply...} can only stand in the 'result' of a call with 'each'";
    if (!scope->has_each)
        return "{each...} can only stand in a call with 'each'";
    reference->root = REFERENCE_EACH;
    return parse_steps(words, count, arena, reference);
}

/* Takes ":int" off the end. Returns NULL, or what is wrong with the type: whatever stands behind a
 * colon is one. */
static const char *take_type(struct str *inside, bool *is_int, struct arena *arena)
{
    struct str type = *inside, name = str_take(&type, ':');
    *is_int = str_is(type, "int");
    if (!str_has(*inside, ':') || *is_int) {
        *inside = name;
        return NULL;
    }
    bool is_near = type.len >= 3 && strncasecmp(type.at, "int", 3) == 0;
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, "there is no type '%.*s' (%s)", (int)type.len, type.at,
        is_near ? "did you mean 'int'?" : "only 'int' can stand behind a colon");
    return buf_as_text(&text);
}

/* Who refers to a call that is too many has not misspelled it. */
static bool is_left_out(const struct reference_scope *scope, struct str word)
{
    for (unsigned i = 0; i < scope->left_out_count; i++)
        if (str_eq(word, scope->left_out[i]))
            return true;
    return false;
}

static const char *parse(struct str inside, struct reference_scope *scope, struct arena *arena,
    struct reference *reference)
{
    struct str words[STEPS_MAX];
    *reference = (struct reference){ .text = inside };
    const char *no_type = take_type(&inside, &reference->is_int, arena);
    if (no_type)
        return no_type;
    unsigned count = split(inside, words);
    if (count > STEPS_MAX)
        return "it has more than 32 words between its dots";
    if (scope->has_only_error && !str_is(words[0], "error"))
        return "only {error.title}, .message, .status and .cause can stand here";
    for (unsigned i = 0; i < scope->call_count; i++)
        if (scope->calls[i].len && str_eq(words[0], scope->calls[i]))
            return parse_call(i, words, count, scope, arena, reference);
    if (is_left_out(scope, words[0]))
        return parse_reply(0, words, count, arena, reference);
    if (str_is(words[0], "query"))
        return parse_named(REFERENCE_QUERY, words, count, arena, reference);
    if (str_is(words[0], "header") && count == 2 && words[1].len && !field_plan_is_token(words[1]))
        return "this is no name of a header field";
    if (str_is(words[0], "header"))
        return parse_named(REFERENCE_HEADER, words, count, arena, reference);
    if (str_is(words[0], "body")) {
        reference->root = REFERENCE_BODY;
        scope->uses_body = true;
        return parse_steps(words, count, arena, reference);
    }
    if (str_is(words[0], "each") || str_is(words[0], "reply"))
        return parse_element(words, count, scope, arena, reference);
    if (str_is(words[0], "error")) {
        const char *wrong = parse_named(REFERENCE_ERROR, words, count, arena, reference);
        return wrong ? wrong : parse_error_member(scope, words[1], arena);
    }
    if (!reference_is_parameter(scope->pattern, words[0]))
        return unknown_name(words[0], scope, arena);
    if (count > 1)
        return "a path parameter has no members";
    reference->root = REFERENCE_PARAMETER;
    reference->is_rest = is_rest(scope->pattern, words[0]);
    reference->name = arena_copy(arena, words[0].at, words[0].len);
    return NULL;
}

bool reference_input_is_same(const struct reference_input *a, const struct reference_input *b)
{
    bool is_header = a->root == REFERENCE_HEADER;
    if (!a->name.at || !b->name.at)
        return a->root == b->root && a->name.at == b->name.at;
    return a->root == b->root && a->name.len == b->name.len &&
           (is_header ? !strncasecmp(a->name.at, b->name.at, a->name.len)
                      : str_eq(a->name, b->name));
}

/* Notes what the client is asked for. Of a body only the first name: what is below belongs to it.
 */
static void note_input(
    struct reference_scope *scope, const struct reference *reference, struct arena *arena)
{
    struct reference_input **end = &scope->inputs, input = { .root = reference->root };
    bool is_whole = reference->root != REFERENCE_BODY || reference->step_count == 1;
    if (reference->root != REFERENCE_BODY)
        input.name = str_of(reference->name);
    else if (reference->step_count > 0)
        input.name = reference->steps[0];
    while (*end && !reference_input_is_same(*end, &input))
        end = &(*end)->next;
    if (!*end) {
        *end = arena_alloc(arena, sizeof input);
        **end = input;
    }
    (*end)->is_int |= reference->is_int && is_whole;
}

const char *reference_parse(struct str inside, struct reference_scope *scope, struct arena *arena,
    struct reference *reference)
{
    const char *wrong = parse(inside, scope, arena, reference);
    if (!wrong && reference_is_optional(reference))
        note_input(scope, reference, arena);
    return wrong;
}
