/* worker: what one place for requests keeps between them, and how a request gets it.
 *
 * Its connections to upstreams, and its note of the configuration that it uses. What answers
 * requests sees only a configuration and a caller, and nothing of reloads.
 */
#include "worker.h"
#include <stdlib.h>
#include "checker.h"
#include "coalesce.h"
#include "jq_watch.h"
#include "live.h"
#include "upstream.h"

struct worker {
    struct caller *caller;
    struct live_slot *slot;
};

void *worker_start(void *context)
{
    const struct worker_shares *shares = context;
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return NULL;
    worker->caller = caller_new();
    worker->slot = live_join(shares->live);
    if (!worker->caller || !worker->slot) {
        worker_stop(worker);
        return NULL;
    }
    checker_run(shares->checker, live_take(worker->slot));
    live_release(worker->slot);
    return worker;
}

void worker_stop(void *context)
{
    struct worker *worker = context;
    caller_free(worker->caller);
    if (worker->slot)
        live_leave(worker->slot);
    free(worker);
}

void worker_begin(struct request *request, void *context)
{
    struct worker *worker = context;
    request->context = live_take(worker->slot);
    request->thread = worker->caller;
    caller_watch(worker->caller, request);
}

void worker_end(struct request *request, void *context)
{
    struct worker *worker = context;
    (void)request;
    caller_watch(worker->caller, NULL);
    live_release(worker->slot);
}

/* The calls first: they are those of the configuration that is noted until then. */
bool worker_crashed(void *context)
{
    struct worker *worker = context;
    jq_watch_forget();
    bool is_free = caller_crashed(worker->caller);
    return coalesce_crashed(live_take(worker->slot)->coalescer) && is_free;
}
