/* template: a JSON value with references, compiled when the file is read, written per request.
 *
 * Parts without references become literal bytes at once, so writing a reply is copying: literals
 * from here, slices from the services' replies.
 */
#include "template.h"

enum template_kind {
    TEMPLATE_LITERAL,   /* JSON bytes that never change */
    TEMPLATE_REFERENCE, /* a value from elsewhere */
    TEMPLATE_STRING,    /* text with references in it */
    TEMPLATE_ARRAY,
    TEMPLATE_OBJECT,
};

struct template
{
    enum template_kind kind;
    struct str literal;         /* TEMPLATE_LITERAL */
    struct reference reference; /* TEMPLATE_REFERENCE */
    struct template_text *text; /* TEMPLATE_STRING */
    struct template **children; /* of arrays and objects */
    struct str *names;          /* of an object's children: "\"name\":" */
    struct str *plain_names;    /* the same without quotes; "..." for a spread */
    uint32_t count;
};

const struct reference *template_only_reference(
    struct settings *settings, uint32_t node, struct reference_scope *scope)
{
    if (settings->json.nodes[node].type == JSON_STRING) {
        struct template *template = template_new(settings, node, scope);
        if (template->kind == TEMPLATE_REFERENCE)
            return &template->reference;
    }
    setting_mistake(settings, node, "write one reference here, such as \"{body.name}\"");
    return NULL;
}

static struct str json_of(struct arena *arena, struct str text, const char *behind)
{
    struct buf out;
    buf_init(&out, arena);
    buf_json_string(&out, text);
    buf_text(&out, behind);
    return buf_as_str(&out);
}

static void compile_string(struct settings *settings, uint32_t node, struct reference_scope *scope,
    struct template *template)
{
    struct str text;
    template->kind = TEMPLATE_LITERAL;
    template->literal = STR("\"\"");
    if (!setting_template_text(settings, node, &text) || text.len == 0)
        return;
    struct template_text *compiled = template_text_new(settings, node, text, scope);
    const struct reference *reference = template_text_only_reference(compiled);
    if (reference) {
        template->kind = TEMPLATE_REFERENCE;
        template->reference = *reference;
    } else if (template_text_has_reference(compiled)) {
        template->kind = TEMPLATE_STRING;
        template->text = compiled;
    } else {
        struct buf plain;
        buf_init(&plain, settings->arena);
        template_text_write(compiled, NULL, &plain);
        template->literal = json_of(settings->arena, buf_as_str(&plain), "");
    }
}

static bool has_name(const struct template *template, struct str name)
{
    for (uint32_t i = 0; i < template->count; i++)
        if (str_eq(template->plain_names[i], name))
            return true;
    return false;
}

/* "..." stands for the members of the object that its value, one reference, refers to. */
static bool is_spread(struct str name)
{
    return str_is(name, "...");
}

static void check_spread(struct settings *settings, uint32_t node, const struct template *template)
{
    for (uint32_t i = 0; i < template->count; i++)
        if (is_spread(template->plain_names[i]) &&
            (template->children[i]->kind != TEMPLATE_REFERENCE ||
                !reference_may_be_object(&template->children[i]->reference)))
            setting_mistake(
                settings, node, "'...' puts in an object's members: write \"...\": \"{body}\"");
}

/* A member's name is the file's word, but a brace is written as in every text. */
static struct str member_name(struct settings *settings, uint32_t node)
{
    struct str text = json_string(&settings->json, node, settings->arena);
    struct buf name;
    if (!str_has(text, '{'))
        return text;
    buf_init(&name, settings->arena);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '{' && (++i == text.len || text.at[i] != '{')) {
            setting_mistake(
                settings, node, "a member's name has no references (write {{ for a brace)");
            return text;
        }
        buf_char(&name, text.at[i]);
    }
    return buf_as_str(&name);
}

/* The children of the array or object at `node`. */
static void compile_children(struct settings *settings, uint32_t node,
    struct reference_scope *scope, struct template *template)
{
    const struct json_node *nodes = settings->json.nodes;
    bool is_object = nodes[node].type == JSON_OBJECT;
    template->kind = is_object ? TEMPLATE_OBJECT : TEMPLATE_ARRAY;
    template->children =
        arena_alloc(settings->arena, nodes[node].count * sizeof *template->children);
    template->names = arena_alloc(settings->arena, nodes[node].count * sizeof *template->names);
    template->plain_names =
        arena_alloc(settings->arena, nodes[node].count * sizeof *template->plain_names);
    for (uint32_t child = node + 1; child < nodes[node].next; child = nodes[child].next) {
        if (is_object) {
            struct str name = member_name(settings, child);
            template->names[template->count] = json_of(settings->arena, name, ":");
            template->plain_names[template->count] = name;
            child = nodes[child].next;
        }
        template->children[template->count++] = template_new(settings, child, scope);
    }
    if (is_object)
        check_spread(settings, node, template);
}

static bool all_literal(const struct template *template)
{
    for (uint32_t i = 0; i < template->count; i++)
        if (template->children[i]->kind != TEMPLATE_LITERAL)
            return false;
    return true;
}

/* Writes an array or object that has no references once and for all. */
static void fold_literal(struct arena *arena, struct template *template)
{
    struct buf out;
    buf_init(&out, arena);
    template_write(template, NULL, &out);
    *template = (struct template){ .kind = TEMPLATE_LITERAL, .literal = buf_as_str(&out) };
}

struct template *template_new(
    struct settings *settings, uint32_t node, struct reference_scope *scope)
{
    struct template *template = arena_zero(settings->arena, sizeof *template);
    switch (settings->json.nodes[node].type) {
    case JSON_STRING:
        compile_string(settings, node, scope, template);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        compile_children(settings, node, scope, template);
        if (all_literal(template))
            fold_literal(settings->arena, template);
        break;
    default:
        template->kind = TEMPLATE_LITERAL;
        template->literal = json_raw(&settings->json, node);
    }
    return template;
}

static bool write_string(
    const struct template_text *text, const struct reference_values *values, struct buf *out)
{
    struct buf plain;
    buf_init(&plain, out->arena);
    if (!template_text_write(text, values, &plain))
        return false;
    buf_json_string(out, buf_as_str(&plain));
    return true;
}

static void write_array(
    const struct template *template, const struct reference_values *values, struct buf *out)
{
    buf_char(out, '[');
    for (uint32_t i = 0; i < template->count; i++) {
        if (i)
            buf_char(out, ',');
        if (!template_write(template->children[i], values, out))
            buf_text(out, "null");
    }
    buf_char(out, ']');
}

static bool write_member(const struct template *template, uint32_t member, bool is_first,
    const struct reference_values *values, struct buf *out)
{
    size_t before = out->len;
    if (!is_first)
        buf_char(out, ',');
    buf_str(out, template->names[member]);
    if (template_write(template->children[member], values, out))
        return true;
    out->len = before;
    return false;
}

/* The members of the object that a spread refers to, but for those with a name of the template's
 * own. Returns how many. */
static uint32_t write_spread(const struct template *template, const struct template *spread,
    bool is_first, const struct reference_values *values, struct buf *out)
{
    const struct json *json;
    uint32_t object, written = 0;
    if (spread->kind != TEMPLATE_REFERENCE ||
        !reference_node(&spread->reference, values, &json, &object) ||
        json->nodes[object].type != JSON_OBJECT)
        return 0;
    const struct json_node *nodes = json->nodes;
    for (uint32_t name = object + 1; name < nodes[object].next; name = nodes[name + 1].next) {
        if (has_name(template, json_string(json, name, out->arena)))
            continue;
        if (!is_first || written)
            buf_char(out, ',');
        buf_str(out, json_raw(json, name));
        buf_char(out, ':');
        buf_str(out, json_raw(json, name + 1));
        written++;
    }
    return written;
}

static bool write_object(
    const struct template *template, const struct reference_values *values, struct buf *out)
{
    size_t before = out->len;
    uint32_t written = 0;
    buf_char(out, '{');
    for (uint32_t i = 0; i < template->count; i++) {
        if (is_spread(template->plain_names[i]))
            written += write_spread(template, template->children[i], !written, values, out);
        else
            written += write_member(template, i, !written, values, out);
    }
    buf_char(out, '}');
    if (template->count && !written)
        out->len = before;
    return written || !template->count;
}

bool template_write(
    const struct template *template, const struct reference_values *values, struct buf *out)
{
    switch (template->kind) {
    case TEMPLATE_LITERAL:
        buf_str(out, template->literal);
        return true;
    case TEMPLATE_REFERENCE:
        return reference_write_json(&template->reference, values, out);
    case TEMPLATE_STRING:
        return write_string(template->text, values, out);
    case TEMPLATE_ARRAY:
        write_array(template, values, out);
        return true;
    case TEMPLATE_OBJECT:
        return write_object(template, values, out);
    }
    return false;
}
