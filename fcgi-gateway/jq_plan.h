/* jq_plan: the jq programs of a configuration file. */
#ifndef GATEWAY_JQ_PLAN_H
#define GATEWAY_JQ_PLAN_H

#include "jq_program.h"
#include "setting.h"

struct jq_plan;

struct jq_plan *jq_plan_new(struct arena *arena);

/* The program in the string at `node`; routes with the same text have the same one. NULL, and a
 * mistake is noted, where there is none. What is no jq program is found by jq_plan_check. */
struct jq_program *jq_plan_add(struct jq_plan *plan, struct settings *settings, uint32_t node);

/* Compiles all of them, and notes as a mistake what is no program, at each place where it stands.
 */
void jq_plan_check(struct jq_plan *plan, struct settings *settings);

#endif
