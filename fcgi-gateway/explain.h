/* explain: what the gateway would do with a request, in words, for `--explain`. */
#ifndef GATEWAY_EXPLAIN_H
#define GATEWAY_EXPLAIN_H

#include "config.h"

/* Prints what happens to `request`, "METHOD /path", with the configuration that was read from
 * `file`. Returns 0, 1 where no route answers it, 2 where it is no request. */
int explain_print(const struct config *config, const char *file, const char *request,
    struct arena *arena, FILE *out);

#endif
