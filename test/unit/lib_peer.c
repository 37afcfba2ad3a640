/* lib_peer: what the kernel says of connections to a TCP server in the same process. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/peer.h"

/* A server that goes on listening, and one client of it. */
struct scene {
    int listening, client, server;
    char server_port[8], client_port[8];
    struct peer peer;
};

static void port_of(int fd, char text[8])
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &size);
    snprintf(text, 8, "%d", ntohs(((struct sockaddr_in *)&address)->sin_port));
}

static int make_scene(void **state)
{
    static struct scene scene;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);
    scene.listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(scene.listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(scene.listening, 8), 0);
    getsockname(scene.listening, (struct sockaddr *)&address, &size);
    scene.client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(scene.client, (struct sockaddr *)&address, size), 0);
    scene.server = accept(scene.listening, NULL, NULL);
    port_of(scene.listening, scene.server_port);
    port_of(scene.client, scene.client_port);
    assert_true(
        peer_name(&scene.peer, "127.0.0.1", scene.server_port, "127.0.0.1", scene.client_port));
    *state = &scene;
    return 0;
}

static int end_scene(void **state)
{
    const struct scene *scene = *state;
    close(scene->client);
    close(scene->server);
    close(scene->listening);
    return 0;
}

static void ask(struct peer *peer)
{
    int kernel = peer_open();
    unsigned number = 7;
    peer_ask(kernel, &number, peer, 1);
    close(kernel);
}

static void a_client_that_is_there_and_then_goes(void **state)
{
    struct scene *scene = *state;
    ask(&scene->peer);
    assert_true(scene->peer.was_open);
    assert_false(scene->peer.is_gone);
    shutdown(scene->client, SHUT_WR);
    ask(&scene->peer);
    assert_true(scene->peer.is_gone);
}

/* As behind the PROXY protocol, where the client's address is not that of who has connected. */
static void the_listening_socket_is_not_taken_for_a_client_that_has_gone(void **state)
{
    struct scene *scene = *state;
    struct peer other;
    assert_true(
        peer_name(&other, "127.0.0.1", scene->server_port, "203.0.113.7", scene->client_port));
    ask(&other);
    assert_false(other.is_gone);
    assert_false(other.was_open);
}

static void a_reset_is_noticed_beside_the_listening_socket(void **state)
{
    struct scene *scene = *state;
    const struct linger at_once = { .l_onoff = 1 };
    ask(&scene->peer);
    setsockopt(scene->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(scene->client);
    ask(&scene->peer);
    assert_true(scene->peer.is_gone);
}

/* A web server that listens to both families says the client's address in either way. */
static void a_client_of_ipv4_is_found_at_a_socket_of_ipv6(void **state)
{
    (void)state;
    struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    char port[8], client_port[8];
    struct peer peers[2];
    int listening = socket(AF_INET6, SOCK_STREAM, 0), off = 0;
    setsockopt(listening, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    assert_int_equal(bind(listening, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(listening, 8), 0);
    port_of(listening, port);
    address.sin_port = htons((uint16_t)atoi(port));
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    int server = accept(listening, NULL, NULL);
    port_of(client, client_port);
    assert_true(peer_name(&peers[0], "127.0.0.1", port, "127.0.0.1", client_port));
    assert_true(peer_name(&peers[1], "::ffff:127.0.0.1", port, "::ffff:127.0.0.1", client_port));
    for (int i = 0; i < 2; i++) {
        ask(&peers[i]);
        assert_true(peers[i].was_open);
        assert_false(peers[i].is_gone);
    }
    close(client);
    close(server);
    close(listening);
}

static void answers_that_were_left_over_say_nothing_of_others(void **state)
{
    struct scene *scene = *state;
    int kernel = peer_open(), least = 1;
    unsigned number = 0;
    struct peer gone[PEER_ASK_MAX], here[PEER_ASK_MAX];
    setsockopt(kernel, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
    for (int i = 0; i < PEER_ASK_MAX; i++) {
        assert_true(peer_name(&gone[i], "192.0.2.1", "80", "192.0.2.2", "4000"));
        here[i] = scene->peer;
        gone[i].was_open = here[i].was_open = true;
    }
    peer_ask(kernel, &number, gone, PEER_ASK_MAX);
    assert_false(gone[PEER_ASK_MAX - 1].is_gone); /* there was no room for its answer */
    peer_ask(kernel, &number, here, PEER_ASK_MAX);
    for (int i = 0; i < PEER_ASK_MAX; i++)
        assert_false(here[i].is_gone);
    close(kernel);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_client_that_is_there_and_then_goes, make_scene, end_scene),
        cmocka_unit_test_setup_teardown(
            the_listening_socket_is_not_taken_for_a_client_that_has_gone, make_scene, end_scene),
        cmocka_unit_test_setup_teardown(
            a_reset_is_noticed_beside_the_listening_socket, make_scene, end_scene),
        cmocka_unit_test(a_client_of_ipv4_is_found_at_a_socket_of_ipv6),
        cmocka_unit_test_setup_teardown(
            answers_that_were_left_over_say_nothing_of_others, make_scene, end_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
