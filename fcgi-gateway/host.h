/* host: whether a text can be a host and a port, as URIs have them. */
#ifndef GATEWAY_HOST_H
#define GATEWAY_HOST_H

#include <stdbool.h>
#include "lib/str.h"

#define HOST_WRONG_PORT "a port is a number from 1 to 65535"

/* Takes "host:port" apart; the colons of "[::1]" stand before no port. False where there is no
 * port: then all of it is the host. RFC 3986 section 3.2. */
bool host_split(struct str authority, struct str *host, struct str *port);

/* "example.com", "127.0.0.1", "[::1]": could there be such a host? Names may have letters of any
 * language. */
bool host_is_good(struct str host);

/* A number from 1 to 65535, in digits alone. */
bool host_is_port(struct str port);

#endif
