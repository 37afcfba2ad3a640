/* mistake: collects what is wrong with a configuration file and tells it in one go. */
#ifndef GATEWAY_MISTAKE_H
#define GATEWAY_MISTAKE_H

#include <stdio.h>
#include "lib/arena.h"
#include "lib/str.h"

struct mistake {
    size_t at; /* byte of the file */
    const char *what;
};

struct mistakes {
    struct arena *arena;
    const char *file; /* its name, for the messages */
    struct str text;  /* its contents */
    struct mistake *list;
    unsigned count, cap;
};

void mistakes_init(
    struct mistakes *mistakes, struct arena *arena, const char *file, struct str text);

/* Notes that something is wrong at byte `at` of the file. */
void mistake_add(struct mistakes *mistakes, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* " (did you mean 'x'?)" with the nearest of `known` in the arena, or "" where none is near. A
 * NULL among `known` is passed over. */
const char *mistake_suggestion(
    struct arena *arena, struct str word, const char *const *known, unsigned known_count);

/* One line each, "file:line:column: what", in the order of the file. */
void mistakes_print(struct mistakes *mistakes, FILE *out);

#endif
