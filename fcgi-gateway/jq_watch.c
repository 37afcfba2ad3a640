/* jq_watch: looks after one run of a program while it runs, and stops it when it takes too much.
 *
 * A timer of the kernel wakes the thread that runs the program, again and again until the run is
 * over; most are over before it does so for the first time. The clock and the size of the process
 * are then compared with their bounds. The size is that of the whole process, as nobody counts what
 * a thread takes: others that grow at the same time can end a run that is long and large itself.
 * Here only what may be called in a signal's handler is called. Knows nothing of jq.
 */
#include "jq_watch.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "lib/log.h"

#define LOOK_US (50 * 1000LL) /* memory is filled with some 2 GB/s: 100 MB meanwhile */

/* What was told to stop looks for that before every instruction of its own. A single one that sorts
 * a million values takes 2 seconds; what takes longer probably never ends. */
#define STUBBORN_US (3 * 1000 * 1000LL)

/* An instruction that still goes on at so many times what is allowed is not waited for. */
#define STUBBORN_GROWTH 4

#define STOP_SIGNAL SIGALRM /* nobody else in the program uses it */

static const char stubborn[] =
    "fcgi-gateway: a jq program could not be stopped; what follows is as after a crash\n";

/* The run of this thread; a signal handler has no other way to know. */
static _Thread_local struct jq_watch *watched;

static int statm = -1; /* /proc/self/statm, or -1 */
static long page_size;

/* Memory that the process has in use, in pages; -1 where that cannot be known. */
static long long pages_now(void)
{
    char text[128];
    ssize_t len = statm < 0 ? -1 : pread(statm, text, sizeof text - 1, 0);
    if (len <= 0)
        return -1;
    text[len] = '\0';
    const char *at = strchr(text, ' '); /* the second number: what is not only reserved */
    long long pages = 0;
    for (at = at ? at + 1 : text + len; *at >= '0' && *at <= '9'; at++)
        pages = pages * 10 + (*at - '0');
    return pages;
}

static void look_again(const struct jq_watch *watch, long long now_us)
{
    long long wait_us = LOOK_US;
    if (watch->until_us > now_us && watch->until_us - now_us < wait_us)
        wait_us = watch->until_us - now_us;
    struct itimerspec limit = { .it_value = { .tv_nsec = wait_us * 1000 } };
    timer_settime(watch->timer, 0, &limit, NULL);
}

static void give_up(void)
{
    watched = NULL;
    ssize_t written = write(STDERR_FILENO, stubborn, sizeof stubborn - 1);
    (void)written;
    raise(SIGABRT);
}

static long long grown_mib(const struct jq_watch *watch)
{
    long long pages = watch->pages < 0 ? -1 : pages_now();
    return pages < watch->pages ? 0 : (pages - watch->pages) * page_size / (1024 * 1024);
}

static void look(struct jq_watch *watch, long long now_us)
{
    long long grown = grown_mib(watch);
    if (watch->end &&
        (now_us > watch->stopped_us + STUBBORN_US || grown > STUBBORN_GROWTH * JQ_GROWTH_MIB)) {
        give_up();
    } else if (!watch->end && (now_us >= watch->until_us || grown > JQ_GROWTH_MIB)) {
        watch->end = now_us >= watch->until_us ? JQ_WATCH_TIME : JQ_WATCH_MEMORY;
        watch->stopped_us = now_us;
        watch->stop(watch->context);
    }
}

static void on_timer(int number)
{
    int error = errno;
    long long now_us = log_clock_us();
    (void)number;
    if (watched)
        look(watched, now_us);
    if (watched)
        look_again(watched, now_us);
    errno = error;
}

void jq_watch_init(void)
{
    struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(STOP_SIGNAL, &action, NULL);
    page_size = sysconf(_SC_PAGESIZE);
    statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

bool jq_watch_start(
    struct jq_watch *watch, long long until_us, void (*stop)(void *context), void *context)
{
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = STOP_SIGNAL };
    event._sigev_un._tid = gettid(); /* glibc 2.36 has no name for it */
    *watch = (struct jq_watch){
        .stop = stop, .context = context, .until_us = until_us, .pages = pages_now()
    };
    if (timer_create(CLOCK_MONOTONIC, &event, &watch->timer) < 0)
        return false;
    watched = watch;
    look_again(watch, log_clock_us());
    return true;
}

void jq_watch_forget(void)
{
    watched = NULL;
}

enum jq_watch_end jq_watch_stop(struct jq_watch *watch)
{
    watched = NULL;
    timer_delete(watch->timer);
    return watch->end;
}
