/* lib_fastcgi: connections follow each other in one thread, and others have descriptors of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/fastcgi.h"
#include "lib/watcher.h"

/* A GET without variables: begin, no parameters, no body. */
static const char request[] = "\1\1\0\1\0\x8\0\0"
                              "\0\1\0\0\0\0\0\0"
                              "\1\4\0\1\0\0\0\0"
                              "\1\5\0\1\0\0\0";

enum { WEB, OWN };

static struct connection *open_one(struct fastcgi *fastcgi, int pair[2])
{
    char **variables;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[WEB], request, sizeof(request)), sizeof(request));
    struct connection *connection = fastcgi_open(fastcgi, pair[OWN], &variables);
    assert_non_null(connection);
    return connection;
}

/* Whoever looked at the connection in the channel has a descriptor of it, for a moment; so has the
 * keeper. */
static void the_end_of_a_connection_is_not_that_of_the_next(void **state)
{
    (void)state;
    int first[2], second[2];
    assert_true(fastcgi_init());
    struct watcher *watcher = watcher_new();
    struct fastcgi *fastcgi = fastcgi_new(watcher);

    struct connection *connection = open_one(fastcgi, first);
    assert_true(connection->gone_fd(connection) >= 0);
    assert_false(connection->is_gone(connection));
    int others = dup(first[OWN]);
    fastcgi_end(fastcgi, false);
    fastcgi_close(fastcgi, false);
    close(first[WEB]);

    connection = open_one(fastcgi, second);
    assert_false(connection->is_gone(connection));
    shutdown(second[WEB], SHUT_WR);
    assert_true(connection->is_gone(connection));
    fastcgi_end(fastcgi, false);
    fastcgi_close(fastcgi, false);
    close(second[WEB]);
    close(others);
    fastcgi_free(fastcgi);
    watcher_free(watcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_a_connection_is_not_that_of_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
