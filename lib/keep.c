/* keep: a small process that holds the listening socket and starts the program again when it was
 * killed.
 *
 * Without it the socket ends with the program, when the kernel kills it for want of memory, or an
 * operator does. lighttpd then refuses what comes (503), often for a whole second: it starts a
 * responder again at once or, where a connect was refused before it had heard of the end, at the
 * next full second but one. With it what comes waits some milliseconds, and only requests that were
 * under way are lost.
 *
 * The program has no part in the listening socket: it gets connections over a channel. So when the
 * keeper is killed there is nobody left who listens, as lighttpd expects it of a responder whose
 * process has ended: where it still could connect, it would take that for the work of somebody else
 * and never start another. What is in the channel when the program is killed, the next one finds.
 */
#include "keep.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "listener.h"
#include "log.h"

/* Who ends sooner than this is not started again by us but by the web server, which takes its time.
 */
#define LIFE_MIN_US (200 * 1000LL)

#define NAME_SIZE 16 /* of a process, prctl(2) */

/* At an end: connections that wait in the socket by then are still handed on, but not for ever. */
#define LAST_MAX 4096

enum { PROGRAM_END, KEEPER_END };

struct keeper {
    struct listener listener;
    int channel[2];
    int signals;      /* a signalfd */
    int waiting;      /* an accepted connection for which the channel had no room; else -1 */
    long long passed; /* connections */
    pid_t program;
    bool is_ending;
};

static bool is_ready(int fd, short events)
{
    struct pollfd one = { .fd = fd, .events = events };
    return poll(&one, 1, 0) == 1;
}

/* From the listening socket towards the channel; neither makes us wait. */
static void hand_on(struct keeper *keeper)
{
    if (keeper->waiting < 0)
        keeper->waiting = listener_accept(&keeper->listener);
    if (keeper->waiting < 0 ||
        !listener_pass(keeper->channel[KEEPER_END], keeper->waiting, keeper->passed + 1))
        return;
    keeper->passed++;
    close(keeper->waiting);
    keeper->waiting = -1;
}

static void hand_on_last(struct keeper *keeper)
{
    for (int left = LAST_MAX; left > 0 && is_ready(keeper->channel[KEEPER_END], POLLOUT) &&
                              (keeper->waiting >= 0 || listener_has_waiting(&keeper->listener));
         left--)
        hand_on(keeper);
}

/* Has the program ended? Then *status is as of waitpid(2). */
static bool take_signal(struct keeper *keeper, int *status)
{
    struct signalfd_siginfo info;
    if (read(keeper->signals, &info, sizeof(info)) != sizeof(info))
        return false;
    if (info.ssi_signo == SIGCHLD)
        return waitpid(keeper->program, status, WNOHANG) == keeper->program;
    if (info.ssi_signo == SIGTERM && !keeper->is_ending) {
        hand_on_last(keeper);
        keeper->is_ending = true;
    }
    kill(keeper->program, (int)info.ssi_signo);
    return false;
}

/* Until the program has ended: its status. */
static int attend(struct keeper *keeper)
{
    int status = 0;
    for (;;) {
        bool is_full = keeper->waiting >= 0;
        struct pollfd events[] = {
            { .fd = keeper->signals, .events = POLLIN },
            { .fd = is_full ? keeper->channel[KEEPER_END] : keeper->listener.fd,
                .events = is_full ? POLLOUT : POLLIN },
        };
        if (poll(events, keeper->is_ending ? 1 : 2, -1) < 0)
            continue;
        if (events[0].revents && take_signal(keeper, &status))
            return status;
        if (events[1].revents && !keeper->is_ending)
            hand_on(keeper);
    }
}

/* In the new process. When its keeper is killed it ends in good order. */
static void become_program(
    struct keeper *keeper, const char *name, const sigset_t *mask, pid_t keeper_pid)
{
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != keeper_pid)
        _exit(0);
    dup2(keeper->channel[PROGRAM_END], STDIN_FILENO);
    close(keeper->channel[PROGRAM_END]);
    close(keeper->channel[KEEPER_END]);
    close(keeper->signals);
    if (keeper->waiting >= 0)
        close(keeper->waiting);
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
            become_program(keeper, own_name, mask, keeper_pid);
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

void keep(const char *name)
{
    struct keeper keeper = { .waiting = -1 };
    sigset_t signals, former;

    if (!listener_is(STDIN_FILENO) || listener_is_channel(STDIN_FILENO))
        return;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper.channel) != 0)
        return;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, &former);
    signal(SIGINT, SIG_IGN); /* a terminal's: the web server acts on it */
    keeper.signals = signalfd(-1, &signals, SFD_CLOEXEC);
    listener_init(&keeper.listener, STDIN_FILENO);
    keep_on(&keeper, name, &former);
}
