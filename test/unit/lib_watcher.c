/* lib_watcher: clients of a TCP server in the same process go, in all the ways there are. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/watcher.h"

/* Looks are 50 ms apart. */
enum { SOON_MS = 10000, SEVERAL_LOOKS_MS = 300 };

/* A client's connection to a server, and what the server would have of the gateway. */
struct visit {
    int client, server;
    int own, other; /* a pair of sockets: `own` is told */
    struct peer peer;
    int seat;
};

static int listen_to(int family, struct sockaddr_storage *address, socklen_t *size)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
    bool is_v4 = family == AF_INET;
    int fd = socket(family, SOCK_STREAM, 0);
    *size = sizeof(*address);
    assert_int_equal(
        bind(fd, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, size), 0);
    return fd;
}

/* As a web server says it. */
static void spell(const struct sockaddr_storage *address, char host[64], char port[8])
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    bool is_v4 = address->ss_family == AF_INET;
    inet_ntop(address->ss_family,
        is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, host, 64);
    snprintf(port, 8, "%d", ntohs(is_v4 ? v4->sin_port : v6->sin6_port));
}

static struct visit visit(int family)
{
    struct visit visit;
    struct sockaddr_storage server, client;
    socklen_t size;
    char host[2][64], port[2][8];
    int pair[2], listening = listen_to(family, &server, &size);

    visit.client = socket(family, SOCK_STREAM, 0);
    assert_int_equal(connect(visit.client, (struct sockaddr *)&server, size), 0);
    visit.server = accept(listening, NULL, NULL);
    close(listening);
    getsockname(visit.client, (struct sockaddr *)&client, &size);
    spell(&server, host[0], port[0]);
    spell(&client, host[1], port[1]);
    assert_true(peer_name(&visit.peer, host[0], port[0], host[1], port[1]));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    visit.own = pair[0];
    visit.other = pair[1];
    return visit;
}

static void watch(struct watcher *watcher, struct visit *visit)
{
    visit->seat = watcher_add(watcher, &visit->peer, visit->own);
    assert_int_not_equal(visit->seat, WATCHER_NO_SEAT);
}

static void leave(struct visit *visit)
{
    close(visit->client);
    visit->client = -1;
}

static bool is_told(const struct visit *visit, int ms)
{
    struct pollfd end = { .fd = visit->own, .events = POLLRDHUP };
    return poll(&end, 1, ms) == 1;
}

static void end(struct watcher *watcher, struct visit *visit)
{
    watcher_remove(watcher, visit->seat);
    close(visit->client);
    close(visit->server);
    close(visit->own);
    close(visit->other);
}

static void who_goes_is_told_of_and_no_other(void **state)
{
    (void)state;
    struct watcher *watcher = watcher_new();
    struct visit visits[100]; /* more than are asked for at once */
    for (int i = 0; i < 100; i++) {
        visits[i] = visit(i % 2 ? AF_INET6 : AF_INET);
        watch(watcher, &visits[i]);
    }
    for (int i = 0; i < 100; i += 7)
        leave(&visits[i]);
    for (int i = 0; i < 100; i += 7)
        assert_true(is_told(&visits[i], SOON_MS));
    for (int i = 0; i < 100; i++)
        assert_int_equal(is_told(&visits[i], 0), i % 7 == 0);
    for (int i = 0; i < 100; i++)
        end(watcher, &visits[i]);
    watcher_free(watcher);
}

static void a_reset_is_noticed_where_the_connection_was_seen_before(void **state)
{
    (void)state;
    const struct linger at_once = { .l_onoff = 1 };
    struct watcher *watcher = watcher_new();
    struct visit one = visit(AF_INET);
    watch(watcher, &one);
    assert_false(is_told(&one, SEVERAL_LOOKS_MS));
    setsockopt(one.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    leave(&one);
    assert_true(is_told(&one, SOON_MS));
    end(watcher, &one);
    watcher_free(watcher);
}

static void what_is_no_connection_here_says_nothing(void **state)
{
    (void)state;
    struct watcher *watcher = watcher_new();
    struct visit one = visit(AF_INET), other = visit(AF_INET);
    assert_true(peer_name(&one.peer, "192.0.2.1", "80", "192.0.2.2", "4000"));
    watch(watcher, &one);
    watch(watcher, &other);
    leave(&other);
    assert_true(is_told(&other, SOON_MS));
    assert_false(is_told(&one, 0));
    end(watcher, &one);
    end(watcher, &other);
    watcher_free(watcher);
}

static void a_seat_is_used_again_for_another(void **state)
{
    (void)state;
    struct watcher *watcher = watcher_new();
    for (int i = 0; i < 5; i++) {
        struct visit gone = visit(AF_INET), stays = visit(AF_INET), told = visit(AF_INET);
        watch(watcher, &gone);
        leave(&gone);
        watcher_remove(watcher, gone.seat);
        watch(watcher, &stays);
        watch(watcher, &told);
        leave(&told);
        assert_int_equal(stays.seat, gone.seat);
        gone.seat = WATCHER_NO_SEAT;
        assert_true(is_told(&told, SOON_MS));
        assert_false(is_told(&stays, 0) || is_told(&gone, 0));
        end(watcher, &gone);
        end(watcher, &stays);
        end(watcher, &told);
    }
    watcher_free(watcher);
}

static int count_threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task = readdir(tasks); task; task = readdir(tasks))
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static void its_thread_is_there_for_as_long_as_it_is_needed(void **state)
{
    (void)state;
    int before = count_threads();
    struct watcher *watcher = watcher_new();
    for (int i = 0; i < 2; i++) {
        struct visit one = visit(AF_INET);
        assert_int_equal(count_threads(), before);
        watch(watcher, &one);
        assert_int_equal(count_threads(), before + 1);
        leave(&one);
        assert_true(is_told(&one, SOON_MS));
        end(watcher, &one);
        while (count_threads() > before)
            poll(NULL, 0, 10);
    }
    watcher_free(watcher);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_goes_is_told_of_and_no_other),
        cmocka_unit_test(a_reset_is_noticed_where_the_connection_was_seen_before),
        cmocka_unit_test(what_is_no_connection_here_says_nothing),
        cmocka_unit_test(a_seat_is_used_again_for_another),
        cmocka_unit_test(its_thread_is_there_for_as_long_as_it_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
