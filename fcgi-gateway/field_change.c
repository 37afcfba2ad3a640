/* field_change: what the file says about header fields, done to those of a request or a reply.
 *
 * Where the file names a field, it alone says what is in it: a value that is missing takes the
 * field away, so that nobody can put in a word of their own by leaving something out.
 */
#include "field_change.h"
#include <ctype.h>

/* CGI, and with it many services behind us, knows neither letter case nor dashes. */
static char plain(char c)
{
    return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static bool is_same_name(struct str a, struct str b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++)
        if (plain(a.at[i]) != plain(b.at[i]))
            return false;
    return a.len == b.len;
}

static bool is_named(const struct field_plans *plans, struct str name)
{
    for (unsigned i = 0; i < plans->count; i++)
        if (is_same_name(plans->list[i].name, name))
            return true;
    return false;
}

const struct call_field *field_change_call(const struct call_field *fields,
    const struct field_plans *plans, const struct reference_values *values)
{
    struct arena *arena = values->request->arena;
    struct call_field *first = NULL, **end = &first;
    if (plans->count == 0)
        return fields;
    for (; fields; fields = fields->next) {
        if (is_named(plans, fields->name))
            continue;
        *end = arena_alloc(arena, sizeof **end);
        **end = (struct call_field){ fields->name, fields->value, NULL };
        end = &(*end)->next;
    }
    for (unsigned i = 0; i < plans->count; i++) {
        struct str value = field_plan_value(&plans->list[i], values, arena);
        if (!value.at)
            continue;
        *end = arena_alloc(arena, sizeof **end);
        **end = (struct call_field){ plans->list[i].name, value, NULL };
        end = &(*end)->next;
    }
    return first;
}

/* Where a call's cookies are to be the reply's, and nothing else stands beside them: all of them,
 * in a field each. */
static bool add_cookies(
    struct reply *reply, const struct field_plan *plan, const struct reference_values *values)
{
    const struct reference *only = plan->value ? template_text_only_reference(plan->value) : NULL;
    if (!only || !reference_is_cookie(only) || !str_is_nocase(plan->name, "Set-Cookie"))
        return false;
    for (const struct call_field *field = reference_fields(only, values); field;
         field = field->next)
        if (str_is_nocase(field->name, "Set-Cookie"))
            reply_field(reply, plan->name.at, field->value);
    return true;
}

void field_change_reply(
    struct reply *reply, const struct field_plans *plans, const struct reference_values *values)
{
    for (unsigned i = 0; i < plans->count; i++) {
        const struct field_plan *plan = &plans->list[i];
        struct str value = field_plan_value(plan, values, reply->request->arena);
        reply_remove_field(reply, plan->name.at);
        if (!add_cookies(reply, plan, values) && value.at)
            reply_field(reply, plan->name.at, value);
    }
}
