/* jq_plan: the jq programs of a configuration file.
 *
 * To compile one takes longer than to read all the rest of a file, so they are gathered first: each
 * text is compiled once, all of them together.
 */
#include "jq_plan.h"

/* A place where a program stands. */
struct jq_use {
    struct jq_program *program;
    struct str text;
    uint32_t node;
    bool is_first; /* with this text */
    struct jq_use *next;
};

struct jq_plan {
    struct arena *arena;
    struct jq_use *uses; /* the last one first */
    unsigned different;
};

struct jq_plan *jq_plan_new(struct arena *arena)
{
    struct jq_plan *plan = arena_zero(arena, sizeof *plan);
    plan->arena = arena;
    return plan;
}

static const struct jq_use *find(const struct jq_plan *plan, struct str text)
{
    const struct jq_use *use = plan->uses;
    while (use && !str_eq(use->text, text))
        use = use->next;
    return use;
}

struct jq_program *jq_plan_add(struct jq_plan *plan, struct settings *settings, uint32_t node)
{
    struct str text;
    const char *why = NULL;
    if (!setting_text(settings, node, &text))
        return NULL;
    const struct jq_use *same = find(plan, text);
    struct jq_program *program = same ? same->program : jq_program_new(text, plan->arena, &why);
    if (!program) {
        setting_mistake(settings, node, "jq: %s", why);
        return NULL;
    }
    struct jq_use *use = arena_alloc(plan->arena, sizeof *use);
    *use = (struct jq_use){ program, text, node, !same, plan->uses };
    plan->uses = use;
    plan->different += use->is_first;
    return program;
}

void jq_plan_check(struct jq_plan *plan, struct settings *settings)
{
    struct jq_program **programs = arena_alloc(plan->arena, plan->different * sizeof *programs);
    unsigned count = 0;
    for (const struct jq_use *use = plan->uses; use; use = use->next)
        if (use->is_first)
            programs[count++] = use->program;
    jq_programs_check(programs, count, plan->arena);
    for (const struct jq_use *use = plan->uses; use; use = use->next) {
        const char *mistake = jq_program_mistake(use->program);
        if (mistake)
            setting_mistake(settings, use->node, "jq: %s", mistake);
    }
}
