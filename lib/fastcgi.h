/* fastcgi: one FastCGI connection after the other, for one thread. */
#ifndef LIB_FASTCGI_H
#define LIB_FASTCGI_H

#include <stdbool.h>
#include "connection.h"

struct watcher;
struct fastcgi; /* what a thread reads and writes connections with */

/* NULL where there is no memory. The watcher is all threads' own and outlives them. */
struct fastcgi *fastcgi_new(struct watcher *watcher);
void fastcgi_free(struct fastcgi *fastcgi);

/* Reads the beginning of the request that comes over `fd`, a connected socket, and owns `fd` from
 * here on. Waits for the web server for `wait_ms` milliseconds at once at most, here and later on;
 * -1: there is no bound. Returns the connection for its body and reply, with its CGI variables in
 * *variables; both valid until fastcgi_close. NULL where no request came: the socket is closed
 * then. */
struct connection *fastcgi_open(struct fastcgi *fastcgi, int fd, int wait_ms, char ***variables);

/* Sends what the reply still keeps, and its end. `is_broken`: without the end record, so that the
 * web server takes the reply for cut off. */
void fastcgi_end(struct fastcgi *fastcgi, bool is_broken);

/* After fastcgi_end: closes the socket and frees the request. */
void fastcgi_close(struct fastcgi *fastcgi, bool is_broken);

/* Both after a crash: frees nothing, as the heap may be damaged. `fastcgi` is lost. */
void fastcgi_abandon(struct fastcgi *fastcgi, bool is_broken);

#endif
