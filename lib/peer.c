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

/* Addresses of both families in one form: a socket of IPv6 may have a client of IPv4. */
static void widen(unsigned char wide[16], int family, const void *address)
{
    static const unsigned char mapped[12] = { [10] = 0xff, 0xff };
    memcpy(wide, mapped, sizeof(mapped));
    memcpy(family == AF_INET ? wide + sizeof(mapped) : wide, address, family == AF_INET ? 4 : 16);
}

static bool is_same(int family, const void *address, int other_family, const void *other)
{
    unsigned char wide[16], other_wide[16];
    widen(wide, family, address);
    widen(other_wide, other_family, other);
    return memcmp(wide, other_wide, sizeof(wide)) == 0;
}

/* For what is no connection here, the kernel answers with the listening socket of that port. */
static bool is_found(const struct peer *peer, const struct inet_diag_msg *found)
{
    const struct inet_diag_sockid *id = &found->id;
    return found->idiag_state != TCP_LISTEN && id->idiag_sport == peer->server_port &&
           id->idiag_dport == peer->client_port &&
           is_same(peer->family, peer->server, found->idiag_family, id->idiag_src) &&
           is_same(peer->family, peer->client, found->idiag_family, id->idiag_dst);
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
        if (is_found(peer, found)) {
            peer->is_gone = found->idiag_state != TCP_ESTABLISHED;
            peer->was_open = true;
        } else {
            peer->is_gone = peer->was_open;
        }
    }
}

/* All in one message; the kernel answers before send returns, each in one of its own. Where the
 * socket had no room for all of them, some are left for the next call to read. */
void peer_ask(int fd, unsigned *number, struct peer *peers, unsigned count)
{
    struct question questions[PEER_ASK_MAX];
    unsigned first = *number;
    union {
        struct nlmsghdr header;
        char bytes[512]; /* an inet_diag_msg with the attributes that nobody asked for */
    } reply;
    ssize_t len;

    for (unsigned i = 0; i < count; i++)
        questions[i] = question(&peers[i], (*number)++);
    if (count == 0 || send(fd, questions, count * sizeof(*questions), 0) < 0)
        return;
    while ((len = recv(fd, &reply, sizeof(reply), MSG_DONTWAIT)) >= (ssize_t)sizeof(reply.header)) {
        if (reply.header.nlmsg_seq - first < count)
            learn(&peers[reply.header.nlmsg_seq - first], &reply.header, (size_t)len);
    }
}
