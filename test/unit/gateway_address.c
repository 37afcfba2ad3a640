/* gateway_address: what the kernel hears of an address, and what servers read in Host. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <cmocka.h>
#include "fcgi-gateway/address.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct check {
    const char *url, *authority;
    const char *socket; /* "address port"; NULL: libcurl has to find it */
};

static const struct check checks[] = {
    { "http://127.0.0.1", "127.0.0.1", "127.0.0.1 80" },
    { "http://127.0.0.1/", "127.0.0.1", "127.0.0.1 80" },
    { "http://127.0.0.1:5001", "127.0.0.1:5001", "127.0.0.1 5001" },
    { "http://127.0.0.1:5001/", "127.0.0.1:5001", "127.0.0.1 5001" },
    { "http://127.0.0.1:00080", "127.0.0.1:00080", "127.0.0.1 80" },
    { "http://127.0.0.1:65535", "127.0.0.1:65535", "127.0.0.1 65535" },
    { "http://0.0.0.0:1", "0.0.0.0:1", "0.0.0.0 1" },
    { "http://255.255.255.255:1", "255.255.255.255:1", "255.255.255.255 1" },
    { "http://[::1]", "[::1]", "::1 80" },
    { "http://[::1]:5001/", "[::1]:5001", "::1 5001" },
    { "http://[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1 1" },
    { "http://[1111:2222:3333:4444:5555:6666:7777:8888]:1",
        "[1111:2222:3333:4444:5555:6666:7777:8888]:1",
        "1111:2222:3333:4444:5555:6666:7777:8888 1" },
    /* Names, and what libcurl reads in another way or not at all. */
    { "http://localhost:5001", "localhost:5001", NULL },
    { "http://a", "a", NULL },
    { "http://127.0.0.1.example:1", "127.0.0.1.example:1", NULL },
    { "http://127.1:1", "127.1:1", NULL },
    { "http://127.0.0.01:1", "127.0.0.01:1", NULL },
    { "http://0x7f.0.0.1:1", "0x7f.0.0.1:1", NULL },
    { "http://2130706433:1", "2130706433:1", NULL },
    { "http://127.0.0.256:1", "127.0.0.256:1", NULL },
    { "http://127.0.0.1.:1", "127.0.0.1.:1", NULL },
    { "http://user@127.0.0.1:1", "user@127.0.0.1:1", NULL },
    { "http://[fe80::1%25lo]:1", "[fe80::1%25lo]:1", NULL },
    { "http://[127.0.0.1]:1", "[127.0.0.1]:1", NULL },
    { "http://[::1]x:1", "[::1]x:1", NULL },
    { "http://[::1", "[::1", NULL },
    { "http://[]:1", "[]:1", NULL },
    { "http://[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1", NULL },
    { "http://", "", NULL },
    { "http://:80", ":80", NULL },
    /* TLS is libcurl's, whatever the host. */
    { "https://127.0.0.1", "", NULL },
    { "https://127.0.0.1:443", "", NULL },
    { "https://[::1]:443", "", NULL },
    { "https://localhost", "", NULL },
};

/* As the checks have it; "" where there is none. */
static const char *text_of(const struct sockaddr_storage *to, socklen_t len)
{
    static char text[INET6_ADDRSTRLEN + 8];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)to;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)to;
    bool is_v6 = to->ss_family == AF_INET6;
    char digits[INET6_ADDRSTRLEN];
    if (len == 0)
        return "";
    assert_int_equal(len, is_v6 ? sizeof *v6 : sizeof *v4);
    inet_ntop(
        to->ss_family, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, digits, sizeof digits);
    snprintf(text, sizeof text, "%s %u", digits, ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
    return text;
}

static void urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        struct address address = { .text = str_of(checks[i].url), .url = checks[i].url };
        struct sockaddr_storage to;
        const char *text = text_of(&to, address_socket(&address, &to));
        struct str authority = address_authority(&address);
        if (strcmp(text, checks[i].socket ? checks[i].socket : "") != 0 ||
            !str_is(authority, checks[i].authority))
            fail_msg("%s: '%s', authority '%.*s'", checks[i].url, text, (int)authority.len,
                authority.at);
    }
}

static void unix_sockets(void **state)
{
    struct address address = { .url = "http://localhost/", .socket_path = "run/users.sock" };
    struct sockaddr_storage to;
    (void)state;
    memset(&to, 'x', sizeof to);
    assert_int_equal(address_socket(&address, &to), sizeof(struct sockaddr_un));
    assert_int_equal(to.ss_family, AF_UNIX);
    assert_string_equal(((struct sockaddr_un *)&to)->sun_path, "run/users.sock");
    assert_int_equal(address_authority(&address).len, 0);
}

/* It would reach another socket, were it cut. */
static void paths_that_are_too_long(void **state)
{
    char path[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    struct address address = { .url = "http://localhost/", .socket_path = path };
    struct sockaddr_storage to;
    (void)state;
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = 0;
    assert_int_equal(address_socket(&address, &to), 0);
    path[sizeof path - 2] = 0;
    assert_int_equal(address_socket(&address, &to), sizeof(struct sockaddr_un));
    assert_string_equal(((struct sockaddr_un *)&to)->sun_path, path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(unix_sockets),
        cmocka_unit_test(paths_that_are_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
