/* host: whether a text can be a host and a port, as URIs have them.
 *
 * Servers, redirects and origins are checked by the same rules: what can never be a host would only
 * be found out by a request that fails. Asks no name server.
 */
#include "host.h"
#include <arpa/inet.h>
#include <ctype.h>

#define LABEL_MAX 63 /* RFC 1035 section 2.3.4 */

bool host_split(struct str authority, struct str *host, struct str *port)
{
    const char *bracket = authority.len ? memrchr(authority.at, ']', authority.len) : NULL;
    size_t start = bracket ? (size_t)(bracket - authority.at) : 0;
    const char *colon =
        authority.len ? memchr(authority.at + start, ':', authority.len - start) : NULL;
    *host = (struct str){ authority.at, colon ? (size_t)(colon - authority.at) : authority.len };
    *port = (struct str){ NULL, 0 };
    if (colon)
        *port = (struct str){ colon + 1, authority.len - host->len - 1 };
    return colon;
}

static bool is_address(int family, struct str text)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (text.len >= sizeof copy || str_has(text, '\0'))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, address) == 1;
}

/* "[::1]", also "[fe80::1%25eth0]" (RFC 6874). */
static bool is_in_brackets(struct str host)
{
    struct str zone = { host.at + 1, host.len - 2 };
    bool has_zone = str_has(zone, '%');
    struct str address = str_take(&zone, '%');
    for (size_t i = 0; i < zone.len; i++)
        if (!isalnum((unsigned char)zone.at[i]) && zone.at[i] != '.' && zone.at[i] != '-')
            return false;
    return is_address(AF_INET6, address) && has_zone == (zone.len > 0);
}

/* A part of a name. '_' stands in names of containers; bytes from 0x80 on are letters of other
 * languages. */
static bool is_label(struct str label)
{
    for (size_t i = 0; i < label.len; i++) {
        unsigned char c = (unsigned char)label.at[i];
        if (!isalnum(c) && c != '-' && c != '_' && c < 0x80)
            return false;
    }
    return label.len > 0 && label.len <= LABEL_MAX && *label.at != '-' &&
           label.at[label.len - 1] != '-';
}

static bool are_digits(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isdigit((unsigned char)text.at[i]))
            return false;
    return text.len > 0;
}

bool host_is_good(struct str host)
{
    struct str label = { NULL, 0 };
    if (host.len > 2 && *host.at == '[' && host.at[host.len - 1] == ']')
        return is_in_brackets(host);
    for (struct str rest = host; rest.len > 0;) {
        label = str_take(&rest, '.');
        if (!is_label(label))
            return false;
    }
    /* A name that ends with a number would be taken for an address by all who read it. */
    return label.len > 0 && (!are_digits(label) || is_address(AF_INET, host));
}

bool host_is_port(struct str port)
{
    long number = 0;
    if (!are_digits(port) || port.len > 5)
        return false;
    for (size_t i = 0; i < port.len; i++)
        number = number * 10 + (port.at[i] - '0');
    return number >= 1 && number <= 65535;
}
