/* gateway: the way of a request, step by step. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "lib/reply.h"
#include "lib/request.h"

/* Answers one request; request->context is the struct config, request->thread the struct caller
 * (see worker.h). Returns the status. */
int gateway_handle(struct request *request, struct reply *reply);

/* Answers one that lib/serve will not hand to a handler (struct responder's refuse). */
int gateway_refuse(struct request *request, struct reply *reply, int status, const char *why);

#endif
