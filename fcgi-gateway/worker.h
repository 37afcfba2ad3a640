/* worker: what one place for requests keeps between them, and how a request gets it. */
#ifndef GATEWAY_WORKER_H
#define GATEWAY_WORKER_H

#include <stdbool.h>
#include "lib/request.h"

struct checker;
struct live;

/* What all of them share: the context of struct responder. */
struct worker_shares {
    struct live *live;
    struct checker *checker;
};

/* The hooks of struct responder (lib/serve.h). The first one also sets the checker going, if
 * it has something to do: from then on there is a log, and somebody to check for. worker_begin sets
 * request->context to the struct config that holds for this request, and request->thread to the
 * worker's struct caller. */
void *worker_start(void *shares);
void worker_stop(void *worker);
void worker_begin(struct request *request, void *worker);
void worker_end(struct request *request, void *worker);
bool worker_crashed(void *worker);

#endif
