/* head: the header section of an upstream's reply, line by line (RFC 9112 section 5). */
#ifndef GATEWAY_HEAD_H
#define GATEWAY_HEAD_H

#include "call.h"

enum head_result {
    HEAD_MORE, /* another line is to come */
    HEAD_END,  /* the section is complete */
    HEAD_BAD,  /* it must not be passed on: the reply counts as broken */
};

/* The first line of a reply (RFC 9112 section 4): its status, and the minor version of HTTP/1.x.
 * False where it is none. Letters behind the status are nobody's business. */
bool head_status(struct str line, int *status, int *minor);

/* Takes a line with its line end, and adds its field to the call. Copies go to the call's arena. */
enum head_result head_line(struct call *call, struct str line);

/* Is `name` (letter case ignored) in a comma-separated list, such as a Connection field? RFC 9110
 * section 5.6.1. */
bool head_is_named(struct str name, struct str list);

/* The same for all of the reply's Connection fields together. */
bool head_is_connection_option(const struct call *call, struct str name);

#endif
