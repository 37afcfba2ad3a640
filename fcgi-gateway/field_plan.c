/* field_plan: header fields that the file says, for a call or for the reply.
 *
 * Values may come from anywhere, so what would break out of its line is never sent.
 */
#include "field_plan.h"
#include <ctype.h>

bool field_plan_is_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.at[i]) && !strchr("!#$%&'*+-.^_`|~", name.at[i]))
            return false;
    return name.len > 0;
}

/* These belong to one connection or say how long a message is: never the file's business. */
static bool is_ours(struct str name)
{
    static const char *const ours[] = { "Connection", "Content-Length", "Host", "Keep-Alive",
        "Status", "TE", "Trailer", "Transfer-Encoding", "Upgrade" };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (str_is_nocase(name, ours[i]))
            return true;
    return false;
}

struct reading {
    struct reference_scope *scope;
    struct field_plans *plans;
};

static void read_field(struct settings *settings, uint32_t name, uint32_t value, void *target)
{
    struct reading *reading = target;
    struct field_plan *plan = &reading->plans->list[reading->plans->count];
    struct str text;
    plan->name = json_string(&settings->json, name, settings->arena);
    if (!field_plan_is_token(plan->name))
        setting_mistake(settings, name, "this is no name of a header field");
    else if (is_ours(plan->name))
        setting_mistake(settings, name, "'%.*s' is written by the gateway itself",
            (int)plan->name.len, plan->name.at);
    if (!setting_template_text(settings, value, &text))
        return;
    for (size_t i = 0; i < text.len; i++)
        if (iscntrl((unsigned char)text.at[i]) && text.at[i] != '\t') {
            setting_mistake(settings, value, "a header field's value has no control characters");
            return;
        }
    plan->name.at = arena_copy(settings->arena, plan->name.at, plan->name.len);
    plan->value = template_text_new(settings, value, text, reading->scope);
    reading->plans->count++;
}

void field_plans_read(struct settings *settings, uint32_t node, struct reference_scope *scope,
    struct field_plans *plans)
{
    struct reading reading = { scope, plans };
    size_t count = settings->json.nodes[node].count;
    plans->list = arena_zero(settings->arena, count * sizeof *plans->list);
    setting_each(settings, node, read_field, &reading);
}

struct str field_plan_value(
    const struct field_plan *plan, const struct reference_values *values, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena);
    if (!template_text_write(plan->value, values, &text))
        return (struct str){ NULL, 0 };
    for (size_t i = 0; i < text.len; i++)
        if (iscntrl((unsigned char)text.data[i]) && text.data[i] != '\t')
            return (struct str){ NULL, 0 };
    return (struct str){ buf_as_text(&text), text.len };
}
