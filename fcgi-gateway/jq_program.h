/* jq_program: a jq program, for replies that a template cannot say. */
#ifndef GATEWAY_JQ_PROGRAM_H
#define GATEWAY_JQ_PROGRAM_H

#include <stdbool.h>
#include "lib/arena.h"
#include "lib/str.h"

struct jq_program;

/* Compiles `text`. NULL where it is no program, and then *why is what jq says of it. Both are in
 * the arena, and what the program owns besides goes with it: it must not run any more then. */
struct jq_program *jq_program_new(struct str text, struct arena *arena, const char **why);

/* Runs the program on the JSON text `input`. True where it gives exactly one value, which is
 * *output, JSON in the arena. Else *why (in the arena) is what jq says: it may show parts of the
 * input, so it is for the log and not for clients. Safe from many threads at once. */
bool jq_program_run(struct jq_program *program, struct str input, struct arena *arena,
    struct str *output, const char **why);

#endif
