/* address: where one server of an upstream is. */
#ifndef GATEWAY_ADDRESS_H
#define GATEWAY_ADDRESS_H

#include <sys/socket.h>
#include "lib/str.h"

struct address {
    struct str text;         /* as the file says it: "http://host:port", "unix:path" */
    const char *url;         /* "http://host:port" without a path */
    const char *socket_path; /* of a unix socket, else NULL */
};

/* "host:port" of an http:// address, as in a Host field (RFC 9112 section 3.2); else empty. */
struct str address_authority(const struct address *address);

/* What connect(2) wants, and its length; 0 where that is not known without more: the host is a
 * name, or it is https://. */
socklen_t address_socket(const struct address *address, struct sockaddr_storage *to);

#endif
