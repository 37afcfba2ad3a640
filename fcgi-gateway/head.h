/* head: the header section of an upstream's reply, line by line (RFC 9112 section 5). */
#ifndef GATEWAY_HEAD_H
#define GATEWAY_HEAD_H

#include "call.h"

enum head_result {
    HEAD_MORE, /* another line is to come */
    HEAD_END,  /* the section is complete */
    HEAD_BAD,  /* it must not be passed on: the reply counts as broken */
};

/* Takes a line with its line end, and adds its field to the call. Copies go to the call's arena. */
enum head_result head_line(struct call *call, struct str line);

#endif
