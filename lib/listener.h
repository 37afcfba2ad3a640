/* listener: where connections come from: the listening socket that the web server hands over as fd
 * 0, or a keeper (keep.h). */
#ifndef LIB_LISTENER_H
#define LIB_LISTENER_H

#include <stdbool.h>

struct listener {
    int fd;
    bool is_tcp;
};

/* Is it a listening socket? */
bool listener_is(int fd);

/* Makes accept on it end with EINTR after a signal, which it otherwise would not. */
void listener_init(struct listener *listener, int fd);

/* From now on listener_accept fails with EAGAIN where it would wait, in all processes that have
 * this socket. */
void listener_never_wait(const struct listener *listener);

/* Waits for a connection, but for listener_never_wait. Returns its socket, or -1 with errno. */
int listener_accept(struct listener *listener);

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
