/* relay: the least that a FastCGI responder can do that asks a service for each of its replies: the
 * floor for gateways behind a web server, as hello is for all responders.
 *
 * Asks RELAY_PATH of the HTTP server at the unix socket RELAY_SOCKET, over connections that are
 * kept, and passes status 200 and body on. One thread, an event loop, no library, no log; it routes
 * nothing, limits nothing, looks at no header field but Content-Length, and does not bear a service
 * that fails. Whatever a gateway does costs time on top of this. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "record.h"

#define EVENTS 64

/* A connection from the web server, or one to the service. */
struct end {
    int fd;
    int client; /* of a connection to the service: for whom it asks; -1: idle */
    int is_client, is_watched;
    size_t len;
    char bytes[REQUEST_MAX];
    struct end *next; /* in the list of idle ones */
};

static int events;
static char request[1024];
static struct sockaddr_un service = { .sun_family = AF_UNIX };
static struct end *idle, *spare;

static struct end *new_end(int fd, int is_client)
{
    struct end *end = spare;
    if (end)
        spare = end->next;
    else if (!(end = malloc(sizeof *end)))
        err(1, "no memory");
    end->fd = fd;
    end->is_client = is_client;
    end->is_watched = 0;
    end->len = 0;
    return end;
}

static void watch(struct end *end)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = end };
    if (!end->is_watched && epoll_ctl(events, EPOLL_CTL_ADD, end->fd, &event) != 0)
        err(1, "epoll");
    end->is_watched = 1;
}

static void ask_service(int client)
{
    struct end *end = idle;
    if (end) {
        idle = end->next;
    } else {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&service, sizeof service) != 0)
            err(1, "%s", service.sun_path);
        watch(end = new_end(fd, 0));
    }
    end->client = client;
    end->len = 0;
    if (send(end->fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        err(1, "the service closed a connection");
}

static void take_request(struct end *end)
{
    ssize_t got = recv(end->fd, end->bytes + end->len, sizeof end->bytes - end->len, 0);
    if ((got < 0 && errno == EAGAIN) ||
        (got > 0 && !record_has_whole_request(end->bytes, end->len += (size_t)got))) {
        watch(end);
        return;
    }
    if (end->is_watched)
        epoll_ctl(events, EPOLL_CTL_DEL, end->fd, NULL);
    end->next = spare;
    spare = end;
    if (got > 0)
        ask_service(end->fd);
    else
        close(end->fd);
}

static void answer(int client, const char *body, size_t len)
{
    static char content[REPLY_MAX], reply[REPLY_MAX + 4 * RECORD_HEAD_SIZE];
    int head = snprintf(content, sizeof content,
        "Status: 200\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", len);
    if (head + len > sizeof content)
        errx(1, "a reply is too long for one record");
    memcpy(content + head, body, len);
    char *end = record_put(reply, RECORD_STDOUT, content, (size_t)head + len);
    end = record_put_end(end, 1, RECORD_COMPLETE);
    if (send(client, reply, (size_t)(end - reply), MSG_NOSIGNAL) != end - reply)
        warn("a reply was not taken");
    close(client);
}

/* The service closes what it has not been asked over for a while. */
static void forget_idle(struct end *end)
{
    struct end **link = &idle;
    while (*link != end)
        link = &(*link)->next;
    *link = end->next;
    close(end->fd);
    end->next = spare;
    spare = end;
}

static void take_reply(struct end *end)
{
    ssize_t got = recv(end->fd, end->bytes + end->len, sizeof end->bytes - end->len - 1, 0);
    if (got <= 0 && end->client < 0) {
        forget_idle(end);
        return;
    }
    if (got <= 0)
        err(1, "the service closed a connection");
    end->bytes[end->len += (size_t)got] = 0;
    const char *body = strstr(end->bytes, "\r\n\r\n"),
               *length = strcasestr(end->bytes, "\r\nContent-Length:");
    if (!body)
        return;
    if (strncmp(end->bytes, "HTTP/1.1 200", 12) != 0 || !length)
        errx(1, "the service answered otherwise");
    size_t len = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    body += 4;
    if ((size_t)(end->bytes + end->len - body) < len)
        return;
    answer(end->client, body, len);
    end->client = -1;
    end->next = idle;
    idle = end;
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        take_request(new_end(fd, 1)); /* it is mostly there already */
}

static void start(void)
{
    const char *path = getenv("RELAY_PATH"), *socket_path = getenv("RELAY_SOCKET");
    struct epoll_event listening = { .events = EPOLLIN };
    if (!path || !socket_path)
        errx(2, "RELAY_PATH or RELAY_SOCKET is not set");
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: relay\r\n\r\n", path);
    snprintf(service.sun_path, sizeof service.sun_path, "%s", socket_path);
    events = epoll_create1(0);
    if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(events, EPOLL_CTL_ADD, STDIN_FILENO, &listening) != 0)
        err(1, "standard input is no listening socket");
}

int main(void)
{
    struct epoll_event ready[EVENTS];
    start();
    for (;;) {
        int count = epoll_wait(events, ready, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct end *end = ready[i].data.ptr;
            if (!end)
                accept_all();
            else if (end->is_client)
                take_request(end);
            else
                take_reply(end);
        }
    }
}
