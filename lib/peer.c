/* peer: have clients ended their TCP connections to the web server on this machine? The kernel
 * knows.
 *
 * For responders whose web server does not look. lighttpd 1.4.69 does not watch the client of a
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

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
};

/* 0 where it is none. */
static unsigned short read_port(const char *text)
{
    int port = text ? atoi(text) : 0;
    return port > 0 && port <= 65535 ? htons((unsigned short)port) : 0;
}

bool peer_name(struct peer *peer, const char *server, const char *server_port, const char *client,
    const char *client_port)
{
    *peer = (struct peer){ .is_gone = false };
    peer->server_port = read_port(server_port);
    peer->client_port = read_port(client_port);
    if (!server || !client || !peer->server_port || !peer->client_port)
        return false;
    peer->family = strchr(client, ':') ? AF_INET6 : AF_INET;
    return inet_pton(peer->family, server, peer->server) == 1 &&
           inet_pton(peer->family, client, peer->client) == 1;
}

int peer_open(void)
{
    return socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

static struct question question(const struct peer *peer, unsigned number)
{
    struct question question = {
        .header = { .nlmsg_len = sizeof(question),
            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
            .nlmsg_flags = NLM_F_REQUEST,
            .nlmsg_seq = number },
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
    return question;
}

static void learn(struct peer *peer, const struct nlmsghdr *header, size_t len)
{
    if (header->nlmsg_type == NLMSG_ERROR && len >= NLMSG_LENGTH(sizeof(int))) {
        const struct nlmsgerr *error = NLMSG_DATA(header);
        peer->is_gone = error->error == -ENOENT && peer->was_open;
    }
    if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
        len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg))) {
        const struct inet_diag_msg *found = NLMSG_DATA(header);
        peer->is_gone = found->idiag_state != TCP_ESTABLISHED;
        peer->was_open = true;
    }
}

/* All in one message; the kernel answers before send returns, each in one of its own. */
void peer_ask(int fd, struct peer *peers, unsigned count)
{
    struct question questions[PEER_ASK_MAX];
    union {
        struct nlmsghdr header;
        char bytes[512]; /* an inet_diag_msg with the attributes that nobody asked for */
    } reply;
    ssize_t len;

    for (unsigned i = 0; i < count; i++)
        questions[i] = question(&peers[i], i);
    if (count == 0 || send(fd, questions, count * sizeof(*questions), 0) < 0)
        return;
    while ((len = recv(fd, &reply, sizeof(reply), MSG_DONTWAIT)) >= (ssize_t)sizeof(reply.header)) {
        if (reply.header.nlmsg_seq < count)
            learn(&peers[reply.header.nlmsg_seq], &reply.header, (size_t)len);
    }
}
