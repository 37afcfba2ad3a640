/* kept: connections to servers that are kept alive between exchanges, of one transferer. */
#ifndef GATEWAY_KEPT_H
#define GATEWAY_KEPT_H

#include "address.h"

/* So many idle connections one transferer keeps, also by libcurl. */
#define KEPT_MAX 32

/* They are given up by us before lighttpd does (60 s): a request is never sent into one that the
 * other side is just closing. */
#define KEPT_IDLE_MAX_S 30

struct kept_connections;

/* NULL where it cannot be had. */
struct kept_connections *kept_new(void);

/* Closes all of them. */
void kept_free(struct kept_connections *kept);

/* Is this connection open, with nothing unread in it? */
bool kept_is_silent(int fd);

/* The connection to this server that was used last, and is still open with nothing unread in it; -1
 * where there is none. It is the caller's. */
int kept_take(struct kept_connections *kept, const struct address *address, long long now_us);

/* Takes over a connection; one too many closes the one that was used longest ago. */
void kept_put(
    struct kept_connections *kept, const struct address *address, int fd, long long now_us);

#endif
