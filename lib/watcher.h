/* watcher: tells of clients that have gone where the web server does not look: one thread asks for
 * all of them. */
#ifndef LIB_WATCHER_H
#define LIB_WATCHER_H

#include "peer.h"

#define WATCHER_NO_SEAT (-1)

struct watcher;

/* NULL where there is no memory. */
struct watcher *watcher_new(void);

/* Nobody may be watched any more. */
void watcher_free(struct watcher *watcher);

/* When `peer` has gone, the reading side of the socket `fd` is shut down, which is the same to who
 * waits as its end by the other side. Returns a seat, or WATCHER_NO_SEAT where it cannot be
 * watched.
 */
int watcher_add(struct watcher *watcher, const struct peer *peer, int fd);

/* Before `fd` is closed; nothing where there is no seat. */
void watcher_remove(struct watcher *watcher, int seat);

#endif
