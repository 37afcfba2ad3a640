/* listing: all routes of a configuration as a table, for `--routes`. */
#ifndef GATEWAY_LISTING_H
#define GATEWAY_LISTING_H

#include "config.h"

/* Prints a line for each route, in the order of the file: methods, path, kind, the services that it
 * calls, its timeout, its line of the file. */
void listing_print(const struct config *config, struct arena *arena, FILE *out);

#endif
