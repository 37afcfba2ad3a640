/* lib_listener: connections come out of a listening socket; where one cannot be had, it is known
 * why. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/listener.h"

struct place {
    struct sockaddr_un address; /* chosen by the kernel, in its abstract name space */
    socklen_t len;
    struct listener listener;
};

static struct place listen_somewhere(void)
{
    struct place place = { .address.sun_family = AF_UNIX, .len = sizeof place.address };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&place.address, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&place.address, &place.len), 0);
    listener_init(&place.listener, fd);
    return place;
}

static int connect_to(const struct place *place)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&place->address, place->len), 0);
    return fd;
}

static void connections_come_in_their_order(void **state)
{
    (void)state;
    struct place place = listen_somewhere();
    assert_true(listener_is(place.listener.fd));
    assert_false(listener_has_waiting(&place.listener));
    int first = connect_to(&place), second = connect_to(&place);
    assert_int_equal(write(first, "1", 1) + write(second, "2", 1), 2);
    assert_true(listener_has_waiting(&place.listener));
    for (int expected = '1'; expected <= '2'; expected++) {
        char letter;
        int fd = listener_accept(&place.listener);
        assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
        assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        assert_int_equal(read(fd, &letter, 1), 1);
        assert_int_equal(letter, expected);
        close(fd);
    }
    close(first);
    close(second);
    close(place.listener.fd);
}

static void one_that_never_waits_says_that_there_is_none(void **state)
{
    (void)state;
    struct place place = listen_somewhere();
    listener_never_wait(&place.listener);
    assert_int_equal(listener_accept(&place.listener), -1);
    assert_int_equal(listener_judge(errno), LISTENER_AGAIN);
    int client = connect_to(&place), fd = listener_accept(&place.listener);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    close(fd);
    close(client);
    close(place.listener.fd);
}

/* No descriptor is free any more; returns the former limit. */
static struct rlimit use_up_descriptors(void)
{
    struct rlimit former, now;
    int fd = fcntl(STDIN_FILENO, F_DUPFD, 0); /* the lowest free one */
    close(fd);
    getrlimit(RLIMIT_NOFILE, &former);
    now = former;
    now.rlim_cur = (rlim_t)fd;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return former;
}

static void what_finds_no_descriptor_waits(void **state)
{
    (void)state;
    struct place place = listen_somewhere();
    int client = connect_to(&place);
    struct rlimit former = use_up_descriptors();
    int refused = listener_accept(&place.listener), error = errno;
    setrlimit(RLIMIT_NOFILE, &former);
    assert_int_equal(refused, -1);
    assert_int_equal(listener_judge(error), LISTENER_FULL);
    int fd = listener_accept(&place.listener);
    assert_true(fd >= 0);
    close(fd);
    close(client);
    close(place.listener.fd);
}

static void other_sockets_are_none(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_false(listener_is(fds[0]));
    struct listener listener = { .fd = fds[0] };
    assert_int_equal(listener_accept(&listener), -1);
    assert_int_equal(listener_judge(errno), LISTENER_USELESS);
    close(fds[0]);
    assert_false(listener_is(fds[0]));
    close(fds[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_come_in_their_order),
        cmocka_unit_test(one_that_never_waits_says_that_there_is_none),
        cmocka_unit_test(what_finds_no_descriptor_waits),
        cmocka_unit_test(other_sockets_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
