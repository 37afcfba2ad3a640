/* peer: has one side of a TCP connection between others on this machine ended? The kernel knows.
 *
 * For a responder whose web server does not look. lighttpd 1.4.69 does not watch the client of a
 * request that was there as soon as the connection was accepted: until the reply
 * begins it cannot learn that this client has gone. sock_diag(7) answers such a question in a few
 * microseconds, for the sockets of other processes, too.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum answer { UNKNOWN, OPEN, ENDED, MISSING };

void peer_init(struct peer *peer)
{
    *peer = (struct peer){ .fd = -1 };
}

void peer_clear(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer_init(peer);
}

/* 0 where it is none. */
static unsigned short read_port(const char *text)
{
    int port = text ? atoi(text) : 0;
    return port > 0 && port <= 65535 ? htons((unsigned short)port) : 0;
}

bool peer_name(struct peer *peer, const char *server, const char *server_port, const char *client,
    const char *client_port)
{
    peer->is_named = peer->was_open = false;
    peer->server_port = read_port(server_port);
    peer->client_port = read_port(client_port);
    if (!server || !client || !peer->server_port || !peer->client_port)
        return false;
    peer->family = strchr(client, ':') ? AF_INET6 : AF_INET;
    peer->is_named = inet_pton(peer->family, server, peer->server) == 1 &&
                     inet_pton(peer->family, client, peer->client) == 1;
    return peer->is_named;
}

static bool ask(struct peer *peer)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {
        .header = { .nlmsg_len = sizeof(question),
            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
            .nlmsg_flags = NLM_F_REQUEST },
        .request = { .sdiag_family = (unsigned char)peer->family,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_states = ~0U,
            .id = { .idiag_sport = peer->server_port,
                .idiag_dport = peer->client_port,
                .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
    };
    size_t size = peer->family == AF_INET ? 4 : 16;

    memcpy(question.request.id.idiag_src, peer->server, size);
    memcpy(question.request.id.idiag_dst, peer->client, size);
    return send(peer->fd, &question, sizeof(question), 0) == (ssize_t)sizeof(question);
}

/* The kernel answers before send returns. */
static enum answer answer(struct peer *peer)
{
    union {
        struct nlmsghdr header;
        char bytes[512]; /* an inet_diag_msg with the attributes that nobody asked for */
    } reply;
    ssize_t len = recv(peer->fd, &reply, sizeof(reply), MSG_DONTWAIT);

    if (len < (ssize_t)NLMSG_LENGTH(sizeof(int)))
        return UNKNOWN;
    if (reply.header.nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(&reply.header);
        return error->error == -ENOENT ? MISSING : UNKNOWN;
    }
    if (reply.header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        len < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
        return UNKNOWN;
    const struct inet_diag_msg *found = NLMSG_DATA(&reply.header);
    return found->idiag_state == TCP_ESTABLISHED ? OPEN : ENDED;
}

bool peer_is_gone(struct peer *peer)
{
    if (!peer->is_named)
        return false;
    if (peer->fd < 0)
        peer->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (peer->fd < 0 || !ask(peer))
        return false;
    switch (answer(peer)) {
    case OPEN:
        peer->was_open = true;
        return false;
    case ENDED:
        return true;
    case MISSING:
        return peer->was_open;
    case UNKNOWN:
        break;
    }
    return false;
}
