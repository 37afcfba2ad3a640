/* admin: what only the one who runs the gateway may ask of it. */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include "config.h"
#include "lib/reply.h"

/* Did the request come over the web server's socket for that? Then it is answered, with *status,
 * and goes no further: no route is ever reached that way.
 *   GET /cache            how much is kept
 *   DELETE /cache/PATH    forgets what is kept of /PATH; with '*' at its end of all that begin so
 */
bool admin_answers(
    struct request *request, struct reply *reply, const struct config *config, int *status);

#endif
