/* listener: where connections come from: the listening socket that the web server hands over as fd
 * 0, or a channel over which a keeper hands on what it has accepted there (keep.h). */
#ifndef LIB_LISTENER_H
#define LIB_LISTENER_H

#include <stdatomic.h>
#include <stdbool.h>

struct listener {
    int fd;
    bool is_tcp;
    bool is_channel;
    atomic_llong claimed; /* the number of the last connection that a thread took from a channel */
};

/* Do connections come from `fd`: is it a listening socket or a channel? */
bool listener_is(int fd);
bool listener_is_channel(int fd);

/* Makes accept on it end with EINTR after a signal, which it otherwise would not. */
void listener_init(struct listener *listener, int fd);

/* From now on listener_accept fails with EAGAIN where it would wait, in all processes that have this
 * socket. */
void listener_never_wait(const struct listener *listener);

/* Waits for a connection. Returns its socket, or -1 with errno; it is not lost where there is no
 * free descriptor. */
int listener_accept(struct listener *listener);

/* Puts a connection into the other end of a channel, with a number that is above 0 and above that
 * of any before. False where it has no room, or nobody is there; never waits. */
bool listener_pass(int channel, int fd, long long number);

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
