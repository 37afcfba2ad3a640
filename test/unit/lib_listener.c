/* lib_listener: connections cross a channel, one by one and in their order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/listener.h"

struct ends {
    long long passed;
    int keeper, program;
    struct listener listener;
};

static struct ends open_channel(void)
{
    int fds[2];
    struct ends ends = { 0 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    ends.keeper = fds[0];
    ends.program = fds[1];
    listener_init(&ends.listener, ends.program);
    return ends;
}

static void close_channel(struct ends *ends)
{
    if (ends->keeper >= 0)
        close(ends->keeper);
    close(ends->program);
}

/* Passes one end of a pipe on and closes it here; what is written there later is `letter`. */
static int pass_pipe(struct ends *ends, char letter)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], &letter, 1), 1);
    assert_true(listener_pass(ends->keeper, fds[0], ++ends->passed));
    close(fds[0]);
    return fds[1];
}

static void what_is_passed_arrives_in_order(void **state)
{
    (void)state;
    struct ends ends = open_channel();
    int writing[3];
    assert_true(listener_is(ends.program) && listener_is_channel(ends.program));
    assert_false(listener_has_waiting(&ends.listener));
    for (int i = 0; i < 3; i++)
        writing[i] = pass_pipe(&ends, (char)('a' + i));
    assert_true(listener_has_waiting(&ends.listener));
    for (int i = 0; i < 3; i++) {
        char letter;
        int fd = listener_accept(&ends.listener);
        assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
        assert_int_equal(read(fd, &letter, 1), 1);
        assert_int_equal(letter, 'a' + i);
        close(fd);
        close(writing[i]);
    }
    assert_false(listener_has_waiting(&ends.listener));
    close_channel(&ends);
}

static void a_full_channel_takes_no_more_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct ends ends = open_channel();
    int count = 0, fd;
    while (listener_pass(ends.keeper, STDIN_FILENO, ++ends.passed))
        count++;
    assert_true(count > 64);
    for (int i = 0; i < count; i++) {
        assert_true((fd = listener_accept(&ends.listener)) >= 0);
        close(fd);
    }
    assert_true(listener_pass(ends.keeper, STDIN_FILENO, ++ends.passed));
    close_channel(&ends);
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
    struct ends ends = open_channel();
    char letter;
    int writing = pass_pipe(&ends, 'a'), other = pass_pipe(&ends, 'b');
    struct rlimit former = use_up_descriptors();
    int refused = listener_accept(&ends.listener), error = errno;
    setrlimit(RLIMIT_NOFILE, &former);
    assert_int_equal(refused, -1);
    assert_int_equal(listener_judge(error), LISTENER_FULL);
    for (int expected = 'a'; expected <= 'b'; expected++) {
        int fd = listener_accept(&ends.listener);
        assert_true(fd >= 0);
        assert_int_equal(read(fd, &letter, 1), 1);
        assert_int_equal(letter, expected);
        close(fd);
    }
    close(writing);
    close(other);
    close_channel(&ends);
}

enum { THREADS = 8, EACH = 500 };

static void *accept_some(void *argument)
{
    for (int i = 0; i < EACH; i++) {
        int fd = listener_accept(argument);
        if (fd < 0 || write(fd, "x", 1) != 1)
            return argument;
        close(fd);
    }
    return NULL;
}

static void threads_get_each_connection_once(void **state)
{
    (void)state;
    struct ends ends = open_channel();
    pthread_t threads[THREADS];
    static int reading[THREADS * EACH];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, accept_some, &ends.listener);
    for (int i = 0; i < THREADS * EACH; i++) {
        int fds[2];
        char letters[2];
        assert_int_equal(pipe(fds), 0);
        reading[i] = fds[0];
        while (!listener_pass(ends.keeper, fds[1], ends.passed + 1))
            sched_yield();
        ends.passed++;
        close(fds[1]);
        if (i < 100)
            continue;
        /* Until the end, which comes when nobody has it any more. */
        assert_int_equal(read(reading[i - 100], letters, 2), 1);
        assert_int_equal(read(reading[i - 100], letters, 2), 0);
        close(reading[i - 100]);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (int i = THREADS * EACH - 100; i < THREADS * EACH; i++)
        close(reading[i]);
    assert_false(listener_has_waiting(&ends.listener));
    close_channel(&ends);
}

static void without_a_keeper_it_is_of_no_use(void **state)
{
    (void)state;
    struct ends ends = open_channel();
    close(ends.keeper);
    ends.keeper = -1;
    assert_int_equal(listener_accept(&ends.listener), -1);
    assert_int_equal(listener_judge(errno), LISTENER_USELESS);
    close_channel(&ends);
}

static void other_sockets_are_none(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_false(listener_is(fds[0]) || listener_is_channel(fds[0]));
    close(fds[0]);
    assert_false(listener_is(fds[0]));
    close(fds[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_passed_arrives_in_order),
        cmocka_unit_test(a_full_channel_takes_no_more_and_keeps_what_it_has),
        cmocka_unit_test(what_finds_no_descriptor_waits),
        cmocka_unit_test(threads_get_each_connection_once),
        cmocka_unit_test(without_a_keeper_it_is_of_no_use),
        cmocka_unit_test(other_sockets_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
