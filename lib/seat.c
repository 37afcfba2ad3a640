/* seat: where a thread of the pool sits, and how its wait in accept is ended.
 *
 * The main thread ends it by a signal. A signal at any other time could tear a read of the request,
 * so the two agree by the seat's state: the main thread turns ACCEPTING into WAKING, sends, and
 * turns it back; a thread that comes out of accept waits until it can turn ACCEPTING into BUSY.
 * What the signal can meet after accept is the beginning of the next read, and that is restarted
 * (SA_RESTART). accept is not: see listener_init. */
#include "seat.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#define WAKE_SIGNAL SIGURG /* ignored by default, so that a stray one harms nobody */

static void on_wake(int number)
{
    (void)number; /* all it has to do is to end accept */
}

static void mask_signal(int how, int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(how, &set, NULL);
}

/* Threads inherit the mask: SIGTERM and SIGHUP are for the main thread only, which takes them from
 * sigtimedwait. */
void seat_init_signals(void)
{
    struct sigaction action = { .sa_handler = on_wake, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(WAKE_SIGNAL, &action, NULL);
    mask_signal(SIG_BLOCK, WAKE_SIGNAL);
    mask_signal(SIG_BLOCK, SIGTERM);
    mask_signal(SIG_BLOCK, SIGHUP);
}

void seat_take(struct seat *seat)
{
    seat->thread = pthread_self();
    mask_signal(SIG_UNBLOCK, WAKE_SIGNAL);
}

void seat_enter_accept(struct seat *seat)
{
    atomic_store(&seat->state, SEAT_ACCEPTING);
}

void seat_leave_accept(struct seat *seat)
{
    int state = SEAT_ACCEPTING;
    while (!atomic_compare_exchange_weak(&seat->state, &state, SEAT_BUSY)) {
        state = SEAT_ACCEPTING;
        sched_yield();
    }
}

bool seat_wake(struct seat *seat)
{
    int state = SEAT_ACCEPTING;
    if (!atomic_compare_exchange_strong(&seat->state, &state, SEAT_WAKING))
        return false;
    pthread_kill(seat->thread, WAKE_SIGNAL);
    atomic_store(&seat->state, SEAT_ACCEPTING);
    return true;
}

void seat_call_main(pthread_t main_thread)
{
    pthread_kill(main_thread, WAKE_SIGNAL);
}

int seat_wait_main(bool takes_orders, long ms)
{
    struct timespec limit = { ms / 1000, ms % 1000 * 1000000 };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, WAKE_SIGNAL);
    if (takes_orders) {
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
    }
    return sigtimedwait(&set, NULL, &limit);
}
