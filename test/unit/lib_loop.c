/* lib_loop: fibers of one thread wait for descriptors and times, each for its own, and go on in the
 * right order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/fiber.h"
#include "lib/guard.h"
#include "lib/log.h"
#include "lib/loop.h"

/* What the fibers have said, in that order. */
static char said[4096];

struct task {
    void (*run)(struct task *task);
    const char *name;
    struct fiber *fiber;
    int fd, other_fd;
    int wait_ms;
    bool is_done;
};

static void say(const char *name)
{
    strcat(strcat(said, name), " ");
}

static void run_task(void *argument)
{
    struct task *task = argument;
    task->run(task);
    task->is_done = true;
    fiber_leave();
}

static void begin(struct task *task)
{
    task->fiber = fiber_new(run_task, task);
    assert_non_null(task->fiber);
    fiber_enter(task->fiber);
}

/* Until all have ended. */
static void go_on(struct loop *loop, struct task *tasks, int count)
{
    for (int left = count; left > 0;) {
        struct fiber *fiber;
        loop_wait(loop, LLONG_MAX);
        while ((fiber = loop_next(loop))) {
            fiber_enter(fiber);
            left -= ((struct task *)fiber_argument(fiber))->is_done;
        }
    }
    for (int i = 0; i < count; i++)
        fiber_free(tasks[i].fiber);
}

static struct loop *open_loop(void)
{
    struct loop *loop = loop_new();
    assert_non_null(loop);
    loop_adopt(loop);
    said[0] = 0;
    return loop;
}

static void close_loop(struct loop *loop)
{
    loop_adopt(NULL);
    loop_free(loop);
}

static void wait_for_time(struct task *task)
{
    assert_int_equal(loop_poll(NULL, 0, task->wait_ms), 0);
    say(task->name);
}

static void times_come_in_their_order(void **state)
{
    (void)state;
    struct loop *loop = open_loop();
    struct task tasks[] = {
        { .run = wait_for_time, .name = "c", .wait_ms = 30 },
        { .run = wait_for_time, .name = "a", .wait_ms = 10 },
        { .run = wait_for_time, .name = "d", .wait_ms = 40 },
        { .run = wait_for_time, .name = "b", .wait_ms = 20 },
    };
    for (int i = 0; i < 4; i++)
        begin(&tasks[i]);
    assert_string_equal(said, "");
    go_on(loop, tasks, 4);
    assert_string_equal(said, "a b c d ");
    close_loop(loop);
}

/* No wait ends before its time, and the first that ends is the shortest. The clock was read a
 * moment before the wait began. */
#define SLACK_US 50000
static long long last_us;

static void wait_for_any_time(struct task *task)
{
    long long until_us = log_clock_us() + task->wait_ms * 1000LL;
    loop_poll(NULL, 0, task->wait_ms);
    assert_true(log_clock_us() >= until_us);
    assert_true(until_us >= last_us - SLACK_US);
    last_us = until_us;
}

static void many_times_come_in_their_order(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct loop *loop = open_loop();
    struct task *tasks = calloc(COUNT, sizeof *tasks);
    srand(1);
    last_us = 0;
    for (int i = 0; i < COUNT; i++) {
        tasks[i] = (struct task){ .run = wait_for_any_time, .wait_ms = 100 + rand() % 400 };
        begin(&tasks[i]);
    }
    go_on(loop, tasks, COUNT);
    free(tasks);
    close_loop(loop);
}

/* Reads a letter, says it, and waits for the next one, until there is none. */
static void wait_for_letters(struct task *task)
{
    char letter[2] = "";
    for (;;) {
        struct pollfd fd = { .fd = task->fd, .events = POLLIN };
        assert_int_equal(loop_poll(&fd, 1, task->wait_ms), 1);
        if (read(task->fd, letter, 1) != 1)
            return;
        say(letter);
    }
}

static void descriptors_wake_who_waits_for_them(void **state)
{
    (void)state;
    struct loop *loop = open_loop();
    int pipes[2][2];
    struct task tasks[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        tasks[i] = (struct task){ .run = wait_for_letters, .fd = pipes[i][0], .wait_ms = -1 };
        begin(&tasks[i]);
    }
    for (const char *letter = "abcd"; *letter; letter++) {
        assert_int_equal(write(pipes[*letter % 2][1], letter, 1), 1);
        loop_wait(loop, LLONG_MAX);
        struct fiber *fiber = loop_next(loop);
        assert_ptr_equal(fiber, tasks[*letter % 2].fiber);
        assert_null(loop_next(loop));
        fiber_enter(fiber);
    }
    close(pipes[0][1]);
    close(pipes[1][1]);
    go_on(loop, tasks, 2);
    assert_string_equal(said, "a b c d ");
    close(pipes[0][0]);
    close(pipes[1][0]);
    close_loop(loop);
}

/* Waits for a pipe in vain, then for another one that has the same number. */
static void wait_for_the_next_pipe(struct task *task)
{
    struct pollfd fd = { .fd = task->fd, .events = POLLIN };
    int other[2];
    assert_int_equal(loop_poll(&fd, 1, 1), 0);
    close(task->fd);
    assert_int_equal(pipe(other), 0);
    assert_int_equal(other[0], task->fd);
    assert_int_equal(write(task->other_fd, "x", 1), 1); /* into the first one */
    assert_int_equal(loop_poll(&fd, 1, 1), 0);
    assert_int_equal(write(other[1], "x", 1), 1);
    assert_int_equal(loop_poll(&fd, 1, -1), 1);
    assert_int_equal(fd.revents, POLLIN);
    close(other[0]);
    close(other[1]);
}

static void a_number_may_be_another_descriptor_later(void **state)
{
    (void)state;
    struct loop *loop = open_loop();
    int first[2], copy;
    assert_int_equal(pipe(first), 0);
    /* Somebody else has the first pipe, too: epoll goes on looking at it. */
    assert_true((copy = fcntl(first[0], F_DUPFD, 100)) >= 100);
    struct task task = { .run = wait_for_the_next_pipe, .fd = first[0], .other_fd = first[1] };
    begin(&task);
    go_on(loop, &task, 1);
    close(copy);
    close(first[1]);
    close_loop(loop);
}

static void wait_for_nothing_good(struct task *task)
{
    struct pollfd fds[] = { { .fd = -1, .events = POLLIN }, { .fd = 1000, .events = POLLIN } };
    assert_int_equal(loop_poll(fds, 1, 1), 0);
    assert_int_equal(loop_poll(fds, 2, -1), 1);
    assert_true(fds[1].revents & POLLNVAL);
    say(task->name);
}

static void what_cannot_be_waited_for_ends_the_wait(void **state)
{
    (void)state;
    struct loop *loop = open_loop();
    struct task task = { .run = wait_for_nothing_good, .name = "done" };
    begin(&task);
    go_on(loop, &task, 1);
    assert_string_equal(said, "done ");
    close_loop(loop);
}

/* In place of the C library's. */
static bool has_no_room;

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    if (has_no_room) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, what, fd, event);
}

static void wait_for_letter(struct task *task)
{
    struct pollfd fd = { .fd = task->fd, .events = POLLIN };
    assert_int_equal(loop_poll(&fd, 1, task->wait_ms), task->wait_ms < 0 ? 1 : 0);
    say(task->name);
}

static void send_letter(struct task *task)
{
    wait_for_time(task);
    assert_int_equal(write(task->fd, "x", 1), 1);
}

static void where_epoll_has_no_room_others_go_on(void **state)
{
    (void)state;
    struct loop *loop = open_loop();
    int first[2], second[2];
    assert_int_equal(pipe(first), 0);
    assert_int_equal(pipe(second), 0);
    struct task tasks[] = {
        { .run = wait_for_letter, .name = "letter", .fd = first[0], .wait_ms = -1 },
        { .run = wait_for_letter, .name = "none", .fd = second[0], .wait_ms = 25 },
        { .run = send_letter, .name = "time", .fd = first[1], .wait_ms = 50 },
    };
    has_no_room = true;
    for (int i = 0; i < 3; i++)
        begin(&tasks[i]);
    go_on(loop, tasks, 3);
    has_no_room = false;
    assert_string_equal(said, "none time letter ");
    for (int i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
    }
    close_loop(loop);
}

static void bells_ring_while_there_is_something(void **state)
{
    (void)state;
    struct loop *loop = open_loop();
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_true(loop_set_bell(loop, 1, fds[0], true));
    assert_int_equal(loop_wait(loop, log_clock_us() + 1000), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(loop_wait(loop, LLONG_MAX), 1 << 1);
    assert_int_equal(loop_wait(loop, LLONG_MAX), 1 << 1);
    assert_true(loop_set_bell(loop, 1, fds[0], false));
    assert_int_equal(loop_wait(loop, log_clock_us() + 1000), 0);
    close(fds[0]);
    close(fds[1]);
    close_loop(loop);
}

static void outside_of_a_fiber_it_is_poll(void **state)
{
    (void)state;
    struct loop *loop = open_loop();
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct pollfd fd = { .fd = fds[0], .events = POLLIN };
    assert_false(loop_is_here());
    assert_int_equal(loop_poll(&fd, 1, 1), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(loop_poll(&fd, 1, -1), 1);
    close(fds[0]);
    close(fds[1]);
    close_loop(loop);
}

/* --- crashes --- */

static void crash_after_a_while(void *argument)
{
    loop_poll(NULL, 0, ((struct task *)argument)->wait_ms);
    abort();
}

static void end_after_a_while(void *argument)
{
    loop_poll(NULL, 0, ((struct task *)argument)->wait_ms);
}

static void run_guarded(struct task *task)
{
    bool crashes = task->name[0] == 'c';
    int number = guard_call(crashes ? crash_after_a_while : end_after_a_while, task);
    assert_int_equal(number != 0, crashes);
    say(task->name);
}

static void a_crash_comes_back_to_its_own_fiber(void **state)
{
    (void)state;
    struct loop *loop = open_loop();
    guard_init();
    guard_thread_start();
    struct task tasks[] = {
        { .run = run_guarded, .name = "well", .wait_ms = 40 },
        { .run = run_guarded, .name = "crashed", .wait_ms = 20 },
        { .run = run_guarded, .name = "too", .wait_ms = 30 },
        { .run = run_guarded, .name = "crash", .wait_ms = 10 },
    };
    for (int i = 0; i < 4; i++)
        begin(&tasks[i]);
    go_on(loop, tasks, 4);
    assert_string_equal(said, "crash crashed too well ");
    guard_thread_stop();
    close_loop(loop);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_come_in_their_order),
        cmocka_unit_test(many_times_come_in_their_order),
        cmocka_unit_test(descriptors_wake_who_waits_for_them),
        cmocka_unit_test(a_number_may_be_another_descriptor_later),
        cmocka_unit_test(what_cannot_be_waited_for_ends_the_wait),
        cmocka_unit_test(where_epoll_has_no_room_others_go_on),
        cmocka_unit_test(bells_ring_while_there_is_something),
        cmocka_unit_test(outside_of_a_fiber_it_is_poll),
        cmocka_unit_test(a_crash_comes_back_to_its_own_fiber),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
