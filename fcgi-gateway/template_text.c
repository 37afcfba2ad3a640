/* template_text: a text with references in it, such as a call's path.
 *
 * Compiled to literal pieces and references when the file is read. In a path and query, values are
 * percent-encoded, so that they stay what they are: values.
 */
#include "lib/uri.h"
#include "template.h"

struct part {
    bool is_reference;
    struct str literal;
    struct reference reference;
};

struct template_text {
    struct part *parts;
    unsigned count;
};

/* The part that starts at *at: literal text, or a reference. */
static bool next_part(struct settings *settings, uint32_t node, struct str text, size_t *at,
    struct reference_scope *scope, struct part *part)
{
    const char *start = text.at + *at, *end = text.at + text.len;
    if (*start != '{' || (start + 1 < end && start[1] == '{')) {
        size_t skip = *start == '{'; /* "{{": the second brace is the literal's first byte */
        const char *stop = memchr(start + skip + 1, '{', end - start - skip - 1);
        *part = (struct part){ .literal = {
                                   start + skip, (size_t)((stop ? stop : end) - start) - skip } };
        *at = (stop ? stop : end) - text.at;
        return true;
    }
    const char *close = memchr(start, '}', end - start);
    if (!close) {
        setting_mistake(settings, node, "'{' without '}' (write {{ for a brace)");
        return false;
    }
    struct str inside = { start + 1, (size_t)(close - start) - 1 };
    part->is_reference = true;
    *at = close + 1 - text.at;
    const char *wrong = reference_parse(inside, scope, settings->arena, &part->reference);
    if (wrong)
        setting_mistake(settings, node, "{%.*s}: %s", (int)inside.len, inside.at, wrong);
    else if (part->reference.root == REFERENCE_BODY && !scope->body_node)
        scope->body_node = node;
    return !wrong;
}

struct template_text *template_text_new(
    struct settings *settings, uint32_t node, struct str text, struct reference_scope *scope)
{
    struct template_text *compiled = arena_zero(settings->arena, sizeof *compiled);
    unsigned most = 1;
    for (size_t i = 0; i < text.len; i++)
        most += 2 * (text.at[i] == '{');
    compiled->parts = arena_zero(settings->arena, most * sizeof *compiled->parts);
    for (size_t at = 0; at < text.len;)
        if (!next_part(settings, node, text, &at, scope, &compiled->parts[compiled->count++]))
            break;
    return compiled;
}

/* An empty value would join two slashes, and dots would climb to another path: RFC 3986 has no
 * escape for them (section 6.2.2.3). */
static bool fits_segment(struct str value)
{
    return value.len > 0 && !str_is(value, ".") && !str_is(value, "..");
}

/* Writes a call's path and query. A query parameter, from '?' or '&' to the next '&', is taken back
 * where a value is missing that the client may leave out. */
struct target_writer {
    struct buf *out;
    bool is_query;    /* behind the '?' */
    bool is_left_out; /* what follows belongs to a parameter that was taken back */
    size_t parameter; /* where it began in `out` */
};

static void write_literal(struct target_writer *writer, struct str literal)
{
    for (size_t i = 0; i < literal.len; i++) {
        char c = literal.at[i];
        bool ends = writer->is_query ? c == '&' : c == '?';
        if (!ends && !writer->is_left_out)
            buf_char(writer->out, c);
        if (!ends)
            continue;
        if (!writer->is_left_out) /* else the separator in front of it is still there */
            buf_char(writer->out, c);
        writer->is_query = true;
        writer->is_left_out = false;
        writer->parameter = writer->out->len;
    }
}

/* Not there, or null: an array or object is there, but not fit for a query. */
static bool may_be_left_out(
    const struct reference *reference, const struct reference_values *values)
{
    const struct json *json;
    uint32_t node;
    if (!reference_is_optional(reference))
        return false;
    return !reference_node(reference, values, &json, &node) ||
           (json->nodes[node].type != JSON_ARRAY && json->nodes[node].type != JSON_OBJECT);
}

/* The rest of the path; `next` is what comes behind it. Dots in it were refused when the route was
 * looked up. */
static void write_rest(struct target_writer *writer, struct str rest, struct str path, char next)
{
    struct buf *out = writer->out;
    bool is_at_end = next == '\0' || next == '?';
    bool has_slash = path.len > 0 && path.at[path.len - 1] == '/';
    buf_str(out, rest);
    if (rest.len > 0 || out->len == 0 || out->data[out->len - 1] != '/')
        return;
    if (next == '/' || (is_at_end && !has_slash && out->len > 1))
        out->len--;
}

/* Can a call's path or query be written with this value? */
static bool is_fit(const struct reference *reference, const struct reference_values *values,
    bool is_query, struct str *value, bool *is_there)
{
    *is_there = reference_text(reference, values, value);
    if (!is_query)
        return reference->is_rest || (*is_there && fits_segment(*value));
    return *is_there || may_be_left_out(reference, values);
}

/* False where the value is missing and must not be. */
static bool write_value(struct target_writer *writer, const struct reference *reference,
    const struct reference_values *values)
{
    struct str value;
    bool is_there;
    if (!is_fit(reference, values, writer->is_query, &value, &is_there))
        return false;
    if (!is_there) {
        writer->is_left_out = true;
        writer->out->len = writer->parameter;
    } else if (!writer->is_left_out) {
        uri_encode(writer->out, value);
    }
    return true;
}

/* The first character behind part `i`; '\0' at the end, '{' before another reference. */
static char next_character(const struct template_text *text, unsigned i)
{
    if (i + 1 == text->count)
        return '\0';
    return text->parts[i + 1].is_reference ? '{' : *text->parts[i + 1].literal.at;
}

const struct reference *template_text_write_target(
    const struct template_text *text, const struct reference_values *values, struct buf *out)
{
    struct target_writer writer = { .out = out };
    for (unsigned i = 0; i < text->count; i++) {
        const struct part *part = &text->parts[i];
        if (!part->is_reference)
            write_literal(&writer, part->literal);
        else if (part->reference.is_rest && !writer.is_query)
            write_rest(&writer, reference_raw_rest(&part->reference, values), values->request->path,
                next_character(text, i));
        else if (!write_value(&writer, &part->reference, values))
            return &part->reference;
    }
    if (writer.is_left_out)
        out->len--; /* the separator in front of it */
    return NULL;
}

const struct reference *template_text_lack(
    const struct template_text *text, const struct reference_values *values)
{
    bool is_query = false;
    for (unsigned i = 0; i < text->count; i++) {
        const struct part *part = &text->parts[i];
        const struct reference *reference = &part->reference;
        struct str value;
        bool is_there;
        is_query |= !part->is_reference && str_has(part->literal, '?');
        if (!part->is_reference || (!reference_is_clients(reference) &&
                                       (reference->root != REFERENCE_EACH || !values->each)))
            continue;
        if (!is_fit(reference, values, is_query, &value, &is_there))
            return reference;
    }
    return NULL;
}

bool template_text_write(
    const struct template_text *text, const struct reference_values *values, struct buf *out)
{
    size_t before = out->len;
    for (unsigned i = 0; i < text->count; i++) {
        struct str value = text->parts[i].literal;
        if (text->parts[i].is_reference &&
            !reference_text(&text->parts[i].reference, values, &value)) {
            out->len = before;
            return false;
        }
        buf_str(out, value);
    }
    return true;
}

const struct reference *template_text_only_reference(const struct template_text *text)
{
    return text->count == 1 && text->parts[0].is_reference ? &text->parts[0].reference : NULL;
}

bool template_text_has_reference(const struct template_text *text)
{
    for (unsigned i = 0; i < text->count; i++)
        if (text->parts[i].is_reference)
            return true;
    return false;
}
