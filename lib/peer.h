/* peer: has one side of a TCP connection between others on this machine ended? The kernel knows. */
#ifndef LIB_PEER_H
#define LIB_PEER_H

#include <stdbool.h>

/* A connection of the web server, looked at again and again, by one thread. */
struct peer {
    int fd;        /* a socket to ask the kernel by; -1 before that */
    bool is_named; /* the four below are there */
    bool was_open; /* the kernel has known it once */
    int family;
    unsigned char server[16], client[16]; /* addresses in network order, as are the ports */
    unsigned short server_port, client_port;
};

/* Before the first peer_name. */
void peer_init(struct peer *peer);
void peer_clear(struct peer *peer);

/* Which connection: numeric addresses and ports of the web server's and the client's side, as CGI
 * variables have them. Any may be NULL. False where they name none. */
bool peer_name(struct peer *peer, const char *server, const char *server_port, const char *client,
    const char *client_port);

/* Has the client closed its side, or reset all of it? False also where nobody knows: addresses that
 * were never those of a connection on this machine say nothing. */
bool peer_is_gone(struct peer *peer);

#endif
