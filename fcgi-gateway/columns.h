/* columns: lines of text whose cells stand below each other. */
#ifndef GATEWAY_COLUMNS_H
#define GATEWAY_COLUMNS_H

#include <stdio.h>
#include "lib/arena.h"

#define COLUMNS_MAX 6

struct columns {
    struct arena *arena;
    unsigned count; /* cells of a line */
    const char *(*rows)[COLUMNS_MAX];
    unsigned row_count, cap;
};

/* No lines yet; each will have `count` cells (at most COLUMNS_MAX). */
void columns_init(struct columns *columns, struct arena *arena, unsigned count);

/* Adds a line. `cells` has as many texts (UTF-8) as there are columns, which must outlive
 * `columns`;
 * "" leaves one empty. */
void columns_add(struct columns *columns, const char *const *cells);

/* Prints the lines, each behind `indent` spaces, as wide as they must be, without spaces at their
 * ends. */
void columns_print(const struct columns *columns, unsigned indent, FILE *out);

#endif
