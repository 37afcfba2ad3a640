/* query: the client's query on its way to a service, with what the file changes in it. */
#include "query.h"
#include "lib/uri.h"

bool query_has(struct str query, struct str name, struct arena *arena)
{
    while (query.len > 0) {
        struct str pair = str_take(&query, '&'), decoded;
        if (uri_decode_parameter(str_take(&pair, '='), arena, &decoded) && str_eq(decoded, name))
            return true;
    }
    return false;
}

static bool is_changed(const struct field_plans *plans, struct str name)
{
    for (unsigned i = 0; i < plans->count; i++)
        if (str_eq(plans->list[i].name, name))
            return true;
    return false;
}

static void add_separator(struct buf *target)
{
    buf_char(target, str_has(buf_as_str(target), '?') ? '&' : '?');
}

/* The client's parameters, but for those that are the file's. */
static void add_clients(struct buf *target, struct str own, const struct field_plans *plans,
    const struct request *request)
{
    struct str query = request->query;
    while (query.len > 0) {
        struct str pair = str_take(&query, '&'), rest = pair, name;
        if (uri_decode_parameter(str_take(&rest, '='), request->arena, &name) &&
            (is_changed(plans, name) || query_has(own, name, request->arena)))
            continue;
        add_separator(target);
        buf_str(target, pair);
    }
}

/* What the path says itself counts, and not what is said for all routes. */
static void add_plans(struct buf *target, struct str own, const struct field_plans *plans,
    const struct reference_values *values)
{
    for (unsigned i = 0; i < plans->count; i++) {
        struct buf value;
        buf_init(&value, target->arena);
        if (query_has(own, plans->list[i].name, target->arena))
            continue;
        if (!plans->list[i].value || !template_text_write(plans->list[i].value, values, &value))
            continue;
        add_separator(target);
        uri_encode(target, plans->list[i].name);
        buf_char(target, '=');
        uri_encode(target, buf_as_str(&value));
    }
}

void query_add(
    struct buf *target, const struct field_plans *plans, const struct reference_values *values)
{
    const struct request *request = values->request;
    struct str own = { target->data, target->len };
    bool has_own = str_has(own, '?');
    str_take(&own, '?');
    if (plans->count == 0 && !has_own) { /* also an empty one */
        if (request->has_query) {
            buf_char(target, '?');
            buf_str(target, request->query);
        }
        return;
    }
    own = (struct str){ arena_copy(target->arena, own.at, own.len), own.len }; /* target may move */
    add_clients(target, own, plans, request);
    add_plans(target, own, plans, values);
}
