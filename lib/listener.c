/* listener: where connections come from. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <string.h>
#include <unistd.h>

/* Any value will do, see listener_init; the rarer the better. */
#define ACCEPT_TIMEOUT_S 3600

/* Of a socket; -1 where it is none. */
static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

bool listener_is(int fd)
{
    return option_of(fd, SO_ACCEPTCONN) == 1;
}

void listener_init(struct listener *listener, int fd)
{
    /* With a time limit accept is not restarted after a signal, whatever SA_RESTART says:
     * signal(7). So a signal can end accept and leave every read alone. */
    const struct timeval limit = { ACCEPT_TIMEOUT_S, 0 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));

    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &size);
    *listener = (struct listener){ .fd = fd, .is_tcp = address.ss_family != AF_UNIX };
}

void listener_never_wait(const struct listener *listener)
{
    fcntl(listener->fd, F_SETFL, fcntl(listener->fd, F_GETFL) | O_NONBLOCK);
}

int listener_accept(struct listener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && listener->is_tcp) {
        /* Over TCP an accepted socket inherits the time limit. */
        const struct timeval none = { 0, 0 };
        const int on = 1;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    return fd;
}

bool listener_has_waiting(const struct listener *listener)
{
    return listener_wait(listener, 0);
}

bool listener_wait(const struct listener *listener, int ms)
{
    /* What is -1 is not waited for, poll(2). */
    struct pollfd listening = { .fd = listener ? listener->fd : -1, .events = POLLIN };
    return poll(&listening, 1, ms) == 1;
}

enum listener_trouble listener_judge(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return LISTENER_FULL;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
        return LISTENER_USELESS;
    default:
        return LISTENER_AGAIN; /* accept(2) lists many errors of the one connection */
    }
}
