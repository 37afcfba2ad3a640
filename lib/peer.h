/* peer: have clients ended their TCP connections to the web server on this machine? The kernel
 * knows. */
#ifndef LIB_PEER_H
#define LIB_PEER_H

#include <stdbool.h>

/* A connection of the web server. */
struct peer {
    bool is_gone;  /* the client has closed its side, or reset all of it */
    bool was_open; /* the kernel has known it once */
    int family;
    unsigned char server[16], client[16]; /* addresses in network order, as are the ports */
    unsigned short server_port, client_port;
};

/* Which connection: numeric addresses and ports of the web server's and the client's side, as CGI
 * variables have them. Any may be NULL. False where they name none. */
bool peer_name(struct peer *peer, const char *server, const char *server_port, const char *client,
    const char *client_port);

/* A socket to ask the kernel by, or -1. */
int peer_open(void);

#define PEER_ASK_MAX 32 /* so that all answers find room in the socket */

/* Sets `is_gone` and `was_open` of up to PEER_ASK_MAX. Leaves them as they are where nobody knows:
 * addresses that were never those of a connection on this machine say nothing. Never waits. The
 * number of the next question in *number, which begins anywhere, is the socket's. */
void peer_ask(int fd, unsigned *number, struct peer *peers, unsigned count);

#endif
