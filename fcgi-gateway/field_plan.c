/* field_plan: header fields and query parameters that the file says.
 *
 * Values may come from anywhere, so what would break out of its line is never sent.
 */
#include "field_plan.h"
#include <ctype.h>

bool field_plan_is_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!name.at[i] ||
            (!isalnum((unsigned char)name.at[i]) && !strchr("!#$%&'*+-.^_`|~", name.at[i])))
            return false;
    return name.len > 0;
}

/* These belong to one connection or say how long a message is: never the file's business. */
static bool is_ours(struct str name)
{
    static const char *const ours[] = { "Connection", "Content-Length", "Host", "Keep-Alive",
        "Status", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "X-Request-ID" };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (str_is_nocase(name, ours[i]))
            return true;
    return false;
}

struct reading {
    struct reference_scope *scope;
    struct field_plans *plans;
    bool may_remove;
};

static bool is_same(const struct field_plans *plans, struct str a, struct str b)
{
    return plans->are_parameters ? str_eq(a, b) : str_eq_nocase(a, b);
}

bool field_plans_name(const struct field_plans *plans, struct str name)
{
    for (unsigned i = 0; i < plans->count; i++)
        if (is_same(plans, plans->list[i].name, name))
            return true;
    return false;
}

static void check_name(
    struct settings *settings, uint32_t node, const struct field_plans *plans, struct str name)
{
    if (plans->are_parameters && name.len == 0)
        setting_mistake(settings, node, "a parameter has a name");
    else if (!plans->are_parameters && !field_plan_is_token(name))
        setting_mistake(settings, node, "this is no name of a header field");
    else if (!plans->are_parameters && is_ours(name))
        setting_mistake(
            settings, node, "'%.*s' is written by the gateway itself", (int)name.len, name.at);
    else if (field_plans_name(plans, name))
        setting_mistake(settings, node, "'%.*s' stands here twice: letter case does not matter",
            (int)name.len, name.at);
}

static const struct template_text *read_value(
    struct settings *settings, uint32_t node, const struct reading *reading)
{
    struct str text;
    if (!setting_template_text(settings, node, &text))
        return NULL;
    for (size_t i = 0; i < text.len && !reading->plans->are_parameters; i++)
        if (iscntrl((unsigned char)text.at[i]) && text.at[i] != '\t') {
            setting_mistake(settings, node, "a header field's value has no control characters");
            return NULL;
        }
    return template_text_new(settings, node, text, reading->scope);
}

static void read_field(struct settings *settings, uint32_t name, uint32_t value, void *target)
{
    struct reading *reading = target;
    struct field_plans *plans = reading->plans;
    struct field_plan *plan = &plans->list[plans->count];
    plan->name = json_string(&settings->json, name, settings->arena);
    check_name(settings, name, plans, plan->name);
    plan->name.at = arena_copy(settings->arena, plan->name.at, plan->name.len);
    if (!reading->may_remove || settings->json.nodes[value].type != JSON_NULL)
        plan->value = read_value(settings, value, reading);
    plans->count++;
}

static void read_all(struct settings *settings, uint32_t node, struct reading reading)
{
    size_t count = settings->json.nodes[node].count;
    reading.plans->list = arena_zero(settings->arena, count * sizeof *reading.plans->list);
    setting_each(settings, node, read_field, &reading);
}

void field_plans_read(struct settings *settings, uint32_t node, struct reference_scope *scope,
    struct field_plans *plans)
{
    read_all(settings, node, (struct reading){ scope, plans, false });
}

void field_plans_read_changes(struct settings *settings, uint32_t node,
    struct reference_scope *scope, struct field_plans *plans)
{
    read_all(settings, node, (struct reading){ scope, plans, true });
}

void field_plans_read_parameters(struct settings *settings, uint32_t node,
    struct reference_scope *scope, struct field_plans *plans)
{
    plans->are_parameters = true;
    read_all(settings, node, (struct reading){ scope, plans, true });
}

void field_plans_inherit(
    struct field_plans *plans, const struct field_plans *defaults, struct arena *arena)
{
    unsigned most = plans->count + defaults->count, count = 0;
    struct field_plan *list = arena_alloc(arena, most * sizeof *list);
    for (unsigned i = 0; i < defaults->count; i++)
        if (!field_plans_name(plans, defaults->list[i].name))
            list[count++] = defaults->list[i];
    for (unsigned i = 0; i < plans->count; i++)
        list[count++] = plans->list[i];
    plans->are_parameters |= defaults->are_parameters;
    plans->list = list;
    plans->count = count;
}

struct str field_plan_value(
    const struct field_plan *plan, const struct reference_values *values, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena);
    if (!plan->value || !template_text_write(plan->value, values, &text))
        return (struct str){ NULL, 0 };
    for (size_t i = 0; i < text.len; i++)
        if (iscntrl((unsigned char)text.data[i]) && text.data[i] != '\t')
            return (struct str){ NULL, 0 };
    return (struct str){ buf_as_text(&text), text.len };
}
