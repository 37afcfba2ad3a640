/* jq_program: a jq program, for replies that a template cannot say. */
#ifndef GATEWAY_JQ_PROGRAM_H
#define GATEWAY_JQ_PROGRAM_H

#include <stdbool.h>
#include "lib/arena.h"
#include "lib/str.h"

struct jq_program;

/* A program of this text, which is not looked at yet. NULL where it cannot be one at all, and then
 * *why says so. What it owns besides goes with the arena: it must not run any more then. */
struct jq_program *jq_program_new(struct str text, struct arena *arena, const char **why);

/* Compiles the programs, on all cores as that takes some 20 ms each, so that they are ready to run.
 * Each may stand there once. One that is not compiled so is when it runs for the first time. */
void jq_programs_check(struct jq_program *const *programs, unsigned count, struct arena *arena);

/* After jq_programs_check: what jq says against the program, in the arena of that; else NULL. */
const char *jq_program_mistake(const struct jq_program *program);

enum jq_outcome {
    JQ_DONE,
    JQ_FAILED,
    JQ_LATE, /* `deadline_us` came, or it ran for as long as a program may */
};

/* Runs the program on the JSON text `input`. JQ_DONE where it gives exactly one value, which is
 * *output, JSON in the arena. Else *why (in the arena) is what jq says: it may show parts of the
 * input, so it is for the log and not for clients. `deadline_us` is of log_clock_us, 0: none. Safe
 * from many threads at once. A program that cannot be stopped ends its thread as a crash does. */
enum jq_outcome jq_program_run(struct jq_program *program, struct str input, long long deadline_us,
    struct arena *arena, struct str *output, const char **why);

#endif
