/* schema_links: whether the references of schemas lead anywhere in the API's description.
 *
 * A schema is written as if it were a document of its own, and becomes a part of another one, in
 * which "#/$defs/x" is something else. Only references into the document itself can be followed
 * here; what has an "$id" is a document of its own after all.
 */
#include "schema_links.h"
#include <stdlib.h>
#include "lib/uri.h"

struct links {
    struct settings *settings;
    const struct config *config;
    struct json document; /* read when the first reference is met */
    bool is_read;
    struct arena arena;
};

/* "~1" is '/', and "~0" is '~': RFC 6901 section 4. */
static struct str unescape(struct str step, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < step.len; i++) {
        bool is_escape = step.at[i] == '~' && i + 1 < step.len &&
                         (step.at[i + 1] == '0' || step.at[i + 1] == '1');
        if (is_escape)
            i++;
        buf_char(&out, is_escape ? (step.at[i] == '0' ? '~' : '/') : step.at[i]);
    }
    return buf_as_str(&out);
}

static uint32_t step_into(const struct json *json, uint32_t node, struct str step)
{
    if (json->nodes[node].type != JSON_ARRAY)
        return json_member(json, node, step);
    char *end;
    unsigned long index = strtoul(step.at, &end, 10);
    return *end || end == step.at ? JSON_NONE : json_element(json, node, (uint32_t)index);
}

/* Follows "#/paths/~1users/get" from the document's root: a JSON pointer in a fragment. */
static bool leads_somewhere(struct links *self, struct str reference)
{
    struct str pointer = { reference.at + 2, reference.len - 2 };
    if (!self->is_read &&
        !json_read(&self->document, self->config->openapi.text, &self->arena, NULL))
        return true;
    self->is_read = true;
    if (!uri_decode(pointer, &self->arena, &pointer))
        return false;
    uint32_t node = 0;
    bool is_end;
    do {
        is_end = !str_has(pointer, '/');
        struct str step = unescape(str_take(&pointer, '/'), &self->arena);
        node = step_into(&self->document, node, step);
    } while (!is_end && node != JSON_NONE);
    return node != JSON_NONE;
}

static void check_link(struct links *self, uint32_t node)
{
    const struct json *json = &self->settings->json;
    struct str text = json_string(json, node, &self->arena);
    if (text.len < 2 || memcmp(text.at, "#/", 2) != 0 || leads_somewhere(self, text))
        return;
    mistake_warn(self->settings->mistakes, json->nodes[node].start,
        "'%.*s' leads nowhere: references are to the whole description, not to this schema",
        (int)text.len, text.at);
}

/* Values that are examples of what is described, and no schemas. */
static bool is_instance(struct str name)
{
    return str_is(name, "const") || str_is(name, "enum") || str_is(name, "default") ||
           str_is(name, "example") || str_is(name, "examples");
}

/* As deep as the file's JSON, which is bounded. */
static void check_schema(struct links *self, uint32_t node)
{
    const struct json *json = &self->settings->json;
    const struct json_node *nodes = json->nodes;
    if (nodes[node].type == JSON_ARRAY)
        for (uint32_t child = node + 1; child < nodes[node].next; child = nodes[child].next)
            check_schema(self, child);
    if (nodes[node].type != JSON_OBJECT || json_member(json, node, STR("$id")) != JSON_NONE)
        return;
    for (uint32_t at = node + 1; at < nodes[node].next; at = nodes[at + 1].next) {
        struct str name = json_string(json, at, &self->arena);
        if (str_is(name, "$ref") && nodes[at + 1].type == JSON_STRING)
            check_link(self, at + 1);
        else if (!is_instance(name))
            check_schema(self, at + 1);
    }
}

void schema_links_check(struct settings *settings, const struct config *config)
{
    struct links self = { .settings = settings, .config = config };
    uint32_t routes = json_member(&settings->json, 0, STR("routes"));
    arena_init(&self.arena);
    const struct json_node *nodes = settings->json.nodes;
    for (uint32_t line = routes + 1; line < nodes[routes].next; line = nodes[line + 1].next) {
        uint32_t schema = json_member(&settings->json, line + 1, STR("schema"));
        if (schema != JSON_NONE)
            check_schema(&self, schema);
    }
    arena_clear(&self.arena);
}
