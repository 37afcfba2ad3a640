/* schema_links: whether the references of schemas lead anywhere in the API's description. */
#ifndef GATEWAY_SCHEMA_LINKS_H
#define GATEWAY_SCHEMA_LINKS_H

#include "config.h"

/* Warns of every "$ref" of a route's `schema` that leads nowhere in `config`'s description, which
 * has been made. */
void schema_links_check(struct settings *settings, const struct config *config);

#endif
