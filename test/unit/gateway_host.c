/* gateway_host: what can be a host and a port, and what never can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/host.h"

static void hosts(void **state)
{
    static const struct {
        const char *host;
        bool is_good;
    } checks[] = {
        { "a", true },
        { "example.com", true },
        { "example.com.", true },
        { "my_service", true },
        { "a--b.c-d", true },
        { "b\xc3\xbc"
          "cher.example",
            true },
        { "127.0.0.1", true },
        { "1.example", true },
        { "[::1]", true },
        { "[::ffff:127.0.0.1]", true },
        { "[fe80::1%25eth0]", true },
        { "", false },
        { ".", false },
        { ".a", false },
        { "a..b", false },
        { "a..", false },
        { "-", false },
        { "-a", false },
        { "a-.b", false },
        { "a b", false },
        { "a\tb", false },
        { "a\x7f", false },
        { "a/b", false },
        { "a@b", false },
        { "{a}", false },
        { "127.0.0.256", false },
        { "1.2.3", false },
        { "5", false },
        { "[", false },
        { "[]", false },
        { "[::1", false },
        { "[:::]", false },
        { "[::1]x", false },
        { "[::1%]", false },
        { "[::1%a b]", false },
        { "[127.0.0.1]", false },
        { "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]", false },
        { "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg", true },
        { "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (host_is_good(str_of(checks[i].host)) != checks[i].is_good)
            fail_msg("'%s'", checks[i].host);
    assert_false(host_is_good((struct str){ "a\0b", 3 }));
    assert_false(host_is_good((struct str){ "[::1\0]", 6 }));
}

static void ports(void **state)
{
    static const char *const good[] = { "1", "80", "65535", "00080" };
    static const char *const bad[] = { "", "0", "65536", "99999", "000080", "+80", "-1", " 80",
        "80 ", "0x50", "8O" };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(host_is_port(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(host_is_port(str_of(bad[i])));
}

static void taken_apart(void **state)
{
    static const struct {
        const char *authority, *host, *port; /* at NULL: there is none */
    } checks[] = {
        { "a", "a", NULL },
        { "a:80", "a", "80" },
        { "a:", "a", "" },
        { ":80", "", "80" },
        { "", "", NULL },
        { "[::1]", "[::1]", NULL },
        { "[::1]:80", "[::1]", "80" },
        { "a:b:c", "a", "b:c" },
        { "[::1", "[", ":1" },
    };
    struct str host, port;
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        bool has_port = host_split(str_of(checks[i].authority), &host, &port);
        assert_true(str_is(host, checks[i].host));
        assert_true(has_port == (checks[i].port != NULL));
        assert_true(!has_port || str_is(port, checks[i].port));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(ports),
        cmocka_unit_test(taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
