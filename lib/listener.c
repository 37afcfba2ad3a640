/* listener: where connections come from: a listening socket or a channel. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <poll.h>
#include <sched.h>
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

bool listener_is_channel(int fd)
{
    return option_of(fd, SO_TYPE) == SOCK_SEQPACKET && option_of(fd, SO_DOMAIN) == AF_UNIX;
}

bool listener_is(int fd)
{
    return option_of(fd, SO_ACCEPTCONN) == 1 || listener_is_channel(fd);
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
    *listener = (struct listener){
        .fd = fd, .is_tcp = address.ss_family != AF_UNIX, .is_channel = listener_is_channel(fd)
    };
}

/* A number, and the connection beside it (unix(7), SCM_RIGHTS). */
union passing {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

bool listener_pass(int channel, int fd, long long number)
{
    union passing beside = { .header = { .cmsg_len = CMSG_LEN(sizeof(fd)),
                                 .cmsg_level = SOL_SOCKET,
                                 .cmsg_type = SCM_RIGHTS } };
    struct iovec data = { &number, sizeof(number) };
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &beside, .msg_controllen = sizeof(beside)
    };

    memcpy(CMSG_DATA(&beside.header), &fd, sizeof(fd));
    return sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(number);
}

/* A descriptor of the connection that is the next one in the channel, where it stays; waits for
 * one. -1 with errno: EPIPE where the keeper is gone, EMFILE where there is no free descriptor. */
static int peek(int channel, long long *number)
{
    int fd = -1;
    union passing beside = { .header = { .cmsg_len = 0 } };
    struct iovec data = { number, sizeof(*number) };
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &beside, .msg_controllen = sizeof(beside)
    };

    ssize_t got = recvmsg(channel, &message, MSG_PEEK | MSG_CMSG_CLOEXEC);
    if (got > 0 && beside.header.cmsg_len == CMSG_LEN(sizeof(fd)))
        memcpy(&fd, CMSG_DATA(&beside.header), sizeof(fd));
    else if (got >= 0)
        errno = got == 0 ? EPIPE : EMFILE;
    return fd;
}

/* May the calling thread have this one? Only one thread gets a yes. */
static bool claim(struct listener *listener, long long number)
{
    long long last = atomic_load(&listener->claimed);
    while (number > last) {
        if (atomic_compare_exchange_weak(&listener->claimed, &last, number))
            return true;
    }
    return false;
}

/* The kernel drops a connection that is received while there is no free descriptor. So it is looked
 * at first, which gives a descriptor as well, then claimed, then taken out. Who finds that another
 * thread has claimed it must look again, and not turn to something else: it may have been woken for
 * the one behind. */
static int receive(struct listener *listener)
{
    long long number;
    int fd = peek(listener->fd, &number);
    while (fd >= 0 && !claim(listener, number)) {
        close(fd);
        sched_yield();
        fd = peek(listener->fd, &number);
    }
    if (fd >= 0)
        recv(listener->fd, &number, sizeof(number), MSG_DONTWAIT);
    return fd;
}

void listener_never_wait(const struct listener *listener)
{
    fcntl(listener->fd, F_SETFL, fcntl(listener->fd, F_GETFL) | O_NONBLOCK);
}

int listener_accept(struct listener *listener)
{
    if (listener->is_channel)
        return receive(listener);
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
    case EPIPE:
        return LISTENER_USELESS;
    default:
        return LISTENER_AGAIN; /* accept(2) lists many errors of the one connection */
    }
}
