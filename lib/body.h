/* body: a request's JSON body, read whole, with the reply that a bad one deserves. */
#ifndef LIB_BODY_H
#define LIB_BODY_H

#include "json.h"
#include "reply.h"
#include "request.h"

/* Reads the body as JSON into *json; its text and nodes are in the request's arena. `media_type` is
 * what Content-Type must be, such as "application/json"; parameters behind it are passed over (RFC
 * 9110 section 8.3.1). Returns 0, or the status of the reply that it has filled: 415 for another
 * type, 400 where the body is cut off, or not JSON (with line and column). The request loop has
 * bounded its length. */
int body_read_json(
    struct request *request, struct reply *reply, const char *media_type, struct json *json);

#endif
