/* keep: a small process that holds the listening socket and starts the program again when it was
 * killed.
 *
 * Without it the socket ends with the program, when the kernel kills it for want of memory, or an
 * operator does. lighttpd then refuses what comes (503), often for a whole second: it starts a
 * responder again at once or, where a connect was refused before it had heard of the end, at the
 * next full second but one. With it what comes waits some milliseconds, and only requests that were
 * under way are lost.
 *
 * The socket is the keeper's own, at a path where the web server finds it, and not the one that
 * lighttpd makes for a program that it starts: at that one nobody may listen when the keeper has
 * ended, or lighttpd takes whoever does for the work of somebody else and never starts another
 * keeper. A new keeper puts its socket in the place of the old one.
 */
#include "keep.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "log.h"

/* Who ends sooner than this is not started again by us but by the web server, which takes its time.
 */
#define LIFE_MIN_US (200 * 1000LL)

#define NAME_SIZE 16 /* of a process, prctl(2) */

/* Connections that wait for the program; the kernel has a bound of its own, net.core.somaxconn. */
#define BACKLOG 4096

struct keeper {
    sigset_t signals;
    pid_t program;
    bool is_ending;
};

/* Until the program has ended: its status. */
static int attend(struct keeper *keeper)
{
    int status = 0, number;
    for (;;) {
        if (sigwait(&keeper->signals, &number) != 0)
            continue;
        if (number != SIGCHLD) {
            keeper->is_ending |= number == SIGTERM;
            kill(keeper->program, number);
        } else if (waitpid(keeper->program, &status, WNOHANG) == keeper->program) {
            return status;
        }
    }
}

/* In the new process. When its keeper is killed it ends in good order. */
static void become_program(const char *name, const sigset_t *mask, pid_t keeper_pid)
{
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != keeper_pid)
        _exit(0);
    sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Shall the program not be started again? */
static bool is_last(const struct keeper *keeper, int status, long long lived_us)
{
    return keeper->is_ending || lived_us < LIFE_MIN_US ||
           (WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

static void keep_on(struct keeper *keeper, const char *name, const sigset_t *mask)
{
    char own_name[NAME_SIZE];
    pid_t keeper_pid = getpid();
    prctl(PR_GET_NAME, own_name);
    for (;;) {
        long long started_us = log_clock_us();
        keeper->program = fork();
        if (keeper->program == 0) {
            become_program(own_name, mask, keeper_pid);
            return;
        }
        if (keeper->program < 0)
            _exit(1);
        prctl(PR_SET_NAME, name);
        int status = attend(keeper);
        bool is_killed = WIFSIGNALED(status);
        if (is_last(keeper, status, log_clock_us() - started_us))
            _exit(is_killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
        fprintf(stderr, "%s: %s, starts again\n", name, is_killed ? "killed" : "ended");
    }
}

/* A listening socket at `path`, in the place of whatever is there: nobody finds the path without
 * one. -1 with errno. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int len = snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    mode_t mask = umask(077);
    unlink(address.sun_path);
    bool is_bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    umask(mask);
    if (is_bound && listen(fd, BACKLOG) == 0 && rename(address.sun_path, path) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void keep(const char *name, const char *path)
{
    struct keeper keeper = { .is_ending = false };
    sigset_t former;
    int fd = listen_at(path);

    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0) {
        fprintf(stderr, "%s: cannot listen at %s: %s\n", name, path, strerror(errno));
        exit(EXIT_FAILURE);
    }
    close(fd);
    sigemptyset(&keeper.signals);
    sigaddset(&keeper.signals, SIGTERM);
    sigaddset(&keeper.signals, SIGHUP);
    sigaddset(&keeper.signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &keeper.signals, &former);
    signal(SIGINT, SIG_IGN); /* a terminal's: the web server acts on it */
    keep_on(&keeper, name, &former);
}
