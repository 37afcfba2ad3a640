/* address: where one server of an upstream is. */
#ifndef GATEWAY_ADDRESS_H
#define GATEWAY_ADDRESS_H

#include "lib/str.h"

struct address {
    struct str text;         /* as the file says it: "http://host:port", "unix:path" */
    const char *url;         /* "http://host:port" without a path */
    const char *socket_path; /* of a unix socket, else NULL */
};

#endif
