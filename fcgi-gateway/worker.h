/* worker: what one thread of the gateway keeps between requests, and how a request gets it. */
#ifndef GATEWAY_WORKER_H
#define GATEWAY_WORKER_H

#include "lib/request.h"

/* The four hooks of struct responder (lib/serve.h) whose context is the struct live. worker_begin
 * sets request->context to the struct config that holds for this request, and request->thread to
 * the thread's struct caller. */
void *worker_start(void *live);
void worker_stop(void *worker);
void worker_begin(struct request *request, void *worker);
void worker_end(struct request *request, void *worker);

#endif
