/* mistake: collects what is wrong with a configuration file and tells it in one go. */
#ifndef GATEWAY_MISTAKE_H
#define GATEWAY_MISTAKE_H

#include <stdbool.h>
#include <stdio.h>
#include "lib/arena.h"
#include "lib/str.h"

struct mistake {
    size_t at; /* byte of the file */
    const char *what;
    bool is_warning; /* the file can be used all the same */
};

struct mistakes {
    struct arena *arena;
    const char *file; /* its name, for the messages */
    struct str text;  /* its contents */
    struct mistake *list;
    unsigned count, cap; /* with the warnings */
    unsigned warning_count;
    size_t *line_ends; /* mistake_line's: where they are, once it was asked */
    unsigned line_count;
};

void mistakes_init(
    struct mistakes *mistakes, struct arena *arena, const char *file, struct str text);

/* Notes that something is wrong at byte `at` of the file. */
void mistake_add(struct mistakes *mistakes, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes something that is allowed and probably not meant. */
void mistake_warn(struct mistakes *mistakes, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The number of the line that byte `at` of the file is in: for texts that name another place. Takes
 * as little time at the end of a file as at its beginning. */
unsigned mistake_line(struct mistakes *mistakes, size_t at);

/* Has anything been noted that is more than a warning? */
bool mistakes_are_there(const struct mistakes *mistakes);

/* " (did you mean 'x'?)" with the nearest of `known`, or " (known here: x, y)" where none is near,
 * in the arena; "" where `known_count` is 0. */
const char *mistake_suggestion(
    struct arena *arena, struct str word, const char *const *known, unsigned known_count);

/* One line each, "file:line:column: what", in the order of the file. Control characters, which may
 * come from the file, are escaped. */
void mistakes_print(struct mistakes *mistakes, FILE *out);

#endif
