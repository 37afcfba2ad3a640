/* bulkhead: how many calls an upstream gets at once, and who waits for a place.
 *
 * A service that hangs may keep so many requests waiting, and no more: the others are for other
 * services. How somebody waits and is woken is not its business.
 */
#include "bulkhead.h"
#include <stddef.h>

static bool is_full(const struct bulkhead *bulkhead, const struct bulkhead_settings *settings)
{
    return settings->concurrent_max > 0 && bulkhead->inside >= settings->concurrent_max;
}

static void hang_in(struct bulkhead *bulkhead, struct bulkhead_waiter *waiter)
{
    waiter->before = bulkhead->last;
    waiter->after = NULL;
    if (bulkhead->last)
        bulkhead->last->after = waiter;
    else
        bulkhead->first = waiter;
    bulkhead->last = waiter;
    bulkhead->waiting++;
}

static void hang_out(struct bulkhead *bulkhead, struct bulkhead_waiter *waiter)
{
    if (waiter->before)
        waiter->before->after = waiter->after;
    else
        bulkhead->first = waiter->after;
    if (waiter->after)
        waiter->after->before = waiter->before;
    else
        bulkhead->last = waiter->before;
    waiter->before = waiter->after = NULL;
    bulkhead->waiting--;
}

enum bulkhead_place bulkhead_enter(struct bulkhead *bulkhead,
    const struct bulkhead_settings *settings, struct bulkhead_waiter *waiter)
{
    waiter->before = waiter->after = NULL;
    if (!bulkhead->first && !is_full(bulkhead, settings)) {
        bulkhead->inside++;
        waiter->place = BULKHEAD_IN;
    } else if (bulkhead->waiting < settings->queue_max) {
        hang_in(bulkhead, waiter);
        waiter->place = BULKHEAD_QUEUED;
    } else {
        waiter->place = BULKHEAD_REFUSED;
    }
    return waiter->place;
}

void bulkhead_leave(struct bulkhead *bulkhead)
{
    if (bulkhead->inside > 0)
        bulkhead->inside--;
}

struct bulkhead_waiter *bulkhead_next(
    struct bulkhead *bulkhead, const struct bulkhead_settings *settings)
{
    struct bulkhead_waiter *waiter = bulkhead->first;
    if (!waiter || is_full(bulkhead, settings))
        return NULL;
    hang_out(bulkhead, waiter);
    bulkhead->inside++;
    waiter->place = BULKHEAD_IN;
    return waiter;
}

bool bulkhead_cancel(struct bulkhead *bulkhead, struct bulkhead_waiter *waiter)
{
    if (waiter->place != BULKHEAD_QUEUED)
        return false;
    hang_out(bulkhead, waiter);
    waiter->place = BULKHEAD_REFUSED;
    return true;
}
