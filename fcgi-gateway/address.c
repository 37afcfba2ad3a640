/* address: where one server is, as the kernel wants to hear it. */
#include "address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include "host.h"

#define HTTP "http://"
#define HTTP_PORT 80

static socklen_t set_unix(const char *path, struct sockaddr_storage *to)
{
    struct sockaddr_un *address = (struct sockaddr_un *)to;
    size_t len = strlen(path);
    if (len >= sizeof address->sun_path)
        return 0;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(address->sun_path, path, len + 1);
    return sizeof *address;
}

struct str address_authority(const struct address *address)
{
    struct str rest = str_of(address->url), none = { NULL, 0 };
    if (address->socket_path || strncmp(address->url, HTTP, strlen(HTTP)) != 0)
        return none;
    rest.at += strlen(HTTP);
    rest.len -= strlen(HTTP);
    return str_take(&rest, '/');
}

socklen_t address_socket(const struct address *address, struct sockaddr_storage *to)
{
    char text[INET6_ADDRSTRLEN];
    struct str host, port;
    if (address->socket_path)
        return set_unix(address->socket_path, to);
    bool has_port = host_split(address_authority(address), &host, &port);
    in_port_t number = htons(has_port ? (in_port_t)atoi(port.at) : HTTP_PORT);
    bool is_v6 = host.len > 2 && host.at[0] == '[';
    if (is_v6)
        host = (struct str){ host.at + 1, host.len - 2 };
    if (host.len == 0 || host.len >= sizeof text)
        return 0;
    memcpy(text, host.at, host.len);
    text[host.len] = 0;
    if (is_v6) {
        struct sockaddr_in6 *address6 = (struct sockaddr_in6 *)to;
        *address6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = number };
        return inet_pton(AF_INET6, text, &address6->sin6_addr) == 1 ? sizeof *address6 : 0;
    }
    struct sockaddr_in *address4 = (struct sockaddr_in *)to;
    *address4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = number };
    return inet_pton(AF_INET, text, &address4->sin_addr) == 1 ? sizeof *address4 : 0;
}
