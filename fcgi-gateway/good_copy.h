/* good_copy: the text of the configuration in use, where it outlives the program's starting anew.
 */
#ifndef GATEWAY_GOOD_COPY_H
#define GATEWAY_GOOD_COPY_H

#include <stdbool.h>
#include "lib/str.h"

struct good_copy {
    int fd;        /* 0 where there can be none */
    bool is_found; /* there was one when the program started: `path` can be read */
    char path[32];
};

/* Finds the copy that was kept before the program started anew, or makes an empty one, which is
 * found from then on, by a program that is started again too. Before there are other threads: it
 * sets a variable of the environment. */
void good_copy_open(struct good_copy *copy);

/* Replaces what is kept. */
void good_copy_keep(struct good_copy *copy, struct str text);

#endif
