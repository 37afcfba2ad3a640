/* connection: where a request's body comes from and where its reply goes to.
 *
 * The two transports, FastCGI (fastcgi.c) and plain CGI (cgi.c), embed it as their first member;
 * request and reply know nothing else of them. Used by one thread at a time. */
#ifndef LIB_CONNECTION_H
#define LIB_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct connection {
    /* Reads 1 to `size` bytes of the body and blocks until something is there. 0 or less: nothing
     * more comes. */
    ssize_t (*read)(struct connection *connection, void *bytes, size_t size);

    /* Would read have to wait for the client? Then the descriptor that becomes readable when it has
     * not to any more, else -1. */
    int (*body_fd)(struct connection *connection);

    /* Takes all of `bytes`, and may keep them until flush. False where nobody is there any more. */
    bool (*write)(struct connection *connection, const char *bytes, size_t len);
    bool (*flush)(struct connection *connection);

    /* Within so many milliseconds, does the other side take more of what we write? NULL: it does.
     */
    bool (*is_ready)(struct connection *connection, int wait_ms);

    /* The descriptor that becomes readable when the client has gone, and not before; -1 where that
     * cannot be known. */
    int (*gone_fd)(struct connection *connection);

    /* Has the client gone? The same as gone_fd says. */
    bool (*is_gone)(struct connection *connection);

    /* From now on both know it also where the web server does not look. NULL: there is no way. */
    void (*watch)(struct connection *connection);
    bool is_watched; /* that was called, or tried */

    int64_t body_left; /* bytes of the body that were not read yet */
};

#endif
