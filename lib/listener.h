/* listener: the listening socket that the web server hands over as fd 0. */
#ifndef LIB_LISTENER_H
#define LIB_LISTENER_H

#include <stdbool.h>

struct listener {
    int fd;
    bool is_tcp;
};

/* Is `fd` a listening socket? */
bool listener_is(int fd);

/* Makes accept on it end with EINTR after a signal, which it otherwise would not. */
void listener_init(struct listener *listener, int fd);

/* Waits for a connection. Returns its socket, or -1 with errno. */
int listener_accept(const struct listener *listener);

/* Is there a connection that listener_accept would return at once? */
bool listener_has_waiting(const struct listener *listener);

/* Waits up to `ms` milliseconds for such a connection; NULL: for none. False where none came, or a
 * signal. */
bool listener_wait(const struct listener *listener, int ms);

enum listener_trouble {
    LISTENER_AGAIN,   /* nothing: that connection was lost, or the wait was interrupted */
    LISTENER_FULL,    /* no descriptor or memory: wait a moment */
    LISTENER_USELESS, /* the socket itself */
};

/* What an errno of listener_accept means. */
enum listener_trouble listener_judge(int error);

#endif
