/* oversight: what the main thread of a responder does while others serve. */
#include "oversight.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include "log.h"
#include "seat.h"

/* Milliseconds. */
#define QUIET_MS 60000   /* how long after a crash a moment without requests is waited for */
#define QUIET_AGAIN_MS 5 /* it is looked for so often */
#define COMPLAIN_MS 1000 /* trouble is logged once in this time */

void oversight_begin(struct oversight *oversight)
{
    oversight->main = pthread_self();
    seat_init_signals();
}

static void look_after(const struct overseen *overseen)
{
    if (overseen->woken)
        overseen->woken(overseen->context);
}

/* Until SIGTERM (true), a crash or a failure. */
static bool wait_for_end(struct oversight *oversight, const struct overseen *overseen)
{
    long long reviewed_us = log_clock_us();
    while (!atomic_load(&oversight->is_crashed) && !atomic_load(&oversight->is_failed)) {
        int number = seat_wait_main(true, OVERSIGHT_REVIEW_MS);
        if (number == SIGTERM)
            return true;
        if (number == SIGHUP && overseen->reload)
            overseen->reload(overseen->reload_context);
        look_after(overseen);
        if (overseen->review && log_clock_us() - reviewed_us >= OVERSIGHT_REVIEW_MS * 1000LL) {
            overseen->review(overseen->context);
            reviewed_us = log_clock_us();
        }
    }
    return false;
}

static bool is_sigterm_pending(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && sigismember(&set, SIGTERM);
}

/* After a crash: a moment without requests, so that starting anew delays none; but not for long,
 * and not at all where requests wait for what the crashed thread holds: there would be no such
 * moment. A SIGTERM ends the wait and stays pending; so does a SIGHUP, for the program that starts
 * anew. */
static void wait_for_quiet(struct oversight *oversight, const struct overseen *overseen)
{
    long long until_us = log_clock_us() + QUIET_MS * 1000LL;
    look_after(overseen);
    while (overseen->busy(overseen->context) > 0 && log_clock_us() < until_us &&
           !atomic_load(&oversight->is_stuck) && !is_sigterm_pending()) {
        seat_wait_main(false, QUIET_AGAIN_MS);
        look_after(overseen);
    }
}

bool oversight_wait(struct oversight *oversight, const struct overseen *overseen)
{
    bool is_final = wait_for_end(oversight, overseen);
    if (!is_final && atomic_load(&oversight->is_crashed)) {
        wait_for_quiet(oversight, overseen);
        is_final = is_sigterm_pending();
    }
    return is_final;
}

bool oversight_is_troubled(struct oversight *oversight)
{
    long long last = atomic_load(&oversight->trouble_us);
    return last != 0 && log_clock_us() - last < COMPLAIN_MS * 1000LL;
}

void oversight_complain(struct oversight *oversight, const char *what, int error)
{
    long long last = atomic_load(&oversight->trouble_us);
    if (!oversight_is_troubled(oversight) &&
        atomic_compare_exchange_strong(&oversight->trouble_us, &last, log_clock_us()))
        log_event("%s: %s", what, strerrordesc_np(error));
}
