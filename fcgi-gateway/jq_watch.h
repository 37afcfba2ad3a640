/* jq_watch: looks after one run of a program while it runs, and stops it when it takes too much. */
#ifndef GATEWAY_JQ_WATCH_H
#define GATEWAY_JQ_WATCH_H

#include <stdbool.h>
#include <time.h>

/* The process may grow by so much while a program runs: 16 times what a service's reply may be, as
 * JSON is some 10 times larger in memory than as text. */
#define JQ_GROWTH_MIB 256

enum jq_watch_end {
    JQ_WATCH_UNTOUCHED,
    JQ_WATCH_TIME,   /* stopped: its time was up */
    JQ_WATCH_MEMORY, /* stopped: the process grew too much */
};

/* One run. Its thread owns it; jq_watch_start fills it. */
struct jq_watch {
    void (*stop)(void *context);
    void *context;
    long long until_us;
    long long pages; /* of the process when it started; -1: not known */
    timer_t timer;
    volatile enum jq_watch_end end;
    long long stopped_us;
};

/* Once per process, before the first watch. */
void jq_watch_init(void);

/* From now on the calling thread is watched: at `until_us` (of log_clock_us), or when the process
 * has grown too much, stop(context) is called in a signal's handler. What does not end soon after
 * that cannot be stopped, and ends the thread like a crash (see lib/guard). False where there is no
 * timer to be had. */
bool jq_watch_start(
    struct jq_watch *watch, long long until_us, void (*stop)(void *context), void *context);

/* The calling thread has crashed, perhaps in a run: that is not looked after any more. */
void jq_watch_forget(void);

enum jq_watch_end jq_watch_stop(struct jq_watch *watch);

#endif
