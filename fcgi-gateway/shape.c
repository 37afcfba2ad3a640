/* shape: the JSON Schema of what a template gives, as far as the template itself tells.
 *
 * So that a composed route is described even where nobody wrote a schema for it. No member is
 * required: one whose reference is missing is left out. Looks at the file's JSON, not at compiled
 * templates, and is about the API's description only.
 */
#include "shape.h"
#include "json_out.h"

/* Is the string node one reference and nothing else? Then *inside is what its braces hold. */
static bool is_reference(const struct json *json, uint32_t node, struct str *inside)
{
    struct str raw = json_raw(json, node); /* with its quotes */
    if (raw.len < 5 || raw.at[1] != '{' || raw.at[2] == '{')
        return false;
    *inside = (struct str){ raw.at + 2, raw.len - 4 };
    return raw.at[raw.len - 2] == '}' && !str_has(*inside, '}');
}

static bool begins(struct str text, const char *with)
{
    return text.len >= strlen(with) && memcmp(text.at, with, strlen(with)) == 0;
}

static bool ends(struct str text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.at + text.len - len, with, len) == 0;
}

static const char *type_of_reference(struct str inside)
{
    if (ends(inside, ":int") || str_is(inside, "error.status") || ends(inside, ".$status"))
        return "{\"type\":\"integer\"}";
    if (begins(inside, "query.") || begins(inside, "header.") || begins(inside, "error."))
        return "{\"type\":\"string\"}";
    return "{}";
}

/* A value that is always the same says so. `$` may be the environment's. */
static void write_constant(const char *type, struct str raw, struct buf *out)
{
    buf_text(out, "{");
    json_out_text(out, "type", str_of(type));
    if (!str_has(raw, '{') && !str_has(raw, '$')) {
        json_out_name(out, "const");
        buf_str(out, raw);
    }
    buf_char(out, '}');
}

static void write_shape(const struct json *json, uint32_t node, struct buf *out);

static void write_object(const struct json *json, uint32_t node, struct buf *out)
{
    buf_text(out, "{\"type\":\"object\",\"properties\":{");
    for (uint32_t name = node + 1; name < json->nodes[node].next;
         name = json->nodes[name + 1].next) {
        struct str raw = json_raw(json, name);
        if (str_is(raw, "\"...\""))
            continue; /* members that are known only when it has come */
        json_out_item(out);
        for (size_t i = 0; i < raw.len; i++) {
            buf_char(out, raw.at[i]);
            i += raw.at[i] == '{'; /* "{{" is one */
        }
        buf_char(out, ':');
        write_shape(json, name + 1, out);
    }
    buf_text(out, "}}");
}

static void write_shape(const struct json *json, uint32_t node, struct buf *out)
{
    enum json_type type = json->nodes[node].type;
    struct str inside;
    if (type == JSON_OBJECT)
        write_object(json, node, out);
    else if (type == JSON_STRING && is_reference(json, node, &inside))
        buf_text(out, type_of_reference(inside));
    else
        write_constant(json_type_name(type), json_raw(json, node), out);
}

struct str shape_of(const struct settings *settings, uint32_t node)
{
    struct buf out;
    buf_init(&out, settings->arena);
    write_shape(&settings->json, node, &out);
    return buf_as_str(&out);
}
