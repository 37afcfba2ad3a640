/* conditional: asks a service whether a reply that is kept is still the same (RFC 9111 4.3). */
#ifndef GATEWAY_CONDITIONAL_H
#define GATEWAY_CONDITIONAL_H

#include "stored.h"
#include "lib/request.h"

/* The request's variables without the client's conditions, which are about what the client has, and
 * with those about `old` (NULL: none). In the request's arena. */
char **conditional_variables(const struct request *request, const struct stored *old);

/* Is a 304 with these fields about `old`, which is all that was asked for? One that names another
 * reply is not; one that names none is. */
bool conditional_is_about(const struct stored *old, struct str fields, struct arena *arena);

#endif
