/* framing: where the body of a reply ends (RFC 9112 section 6), and what of the bytes is its
 * content.
 *
 * Pure: bytes go in, content comes out. Strict where the standard is: a reply that two readers
 * could cut into different pieces is a bad one. */
#ifndef GATEWAY_FRAMING_H
#define GATEWAY_FRAMING_H

#include <stdbool.h>
#include <stdint.h>
#include "call.h"

/* Bytes of a chunk's extensions, and of all trailer fields: nobody reads them, but somebody has to
 * wait for their end. */
#define FRAMING_IGNORED_MAX (16 * 1024)

enum framing_kind {
    FRAMING_NO_BODY,
    FRAMING_LENGTH,
    FRAMING_CHUNKED,
    FRAMING_CLOSE /* the end of the connection is the end of the body */
};

struct framing {
    enum framing_kind kind;
    int state;        /* of FRAMING_CHUNKED; framing.c's own */
    uint64_t left;    /* bytes of the body, or of this chunk */
    unsigned ignored; /* bytes of extensions, or of trailers */
};

enum framing_step {
    FRAMING_PIECE, /* there is a piece of content */
    FRAMING_MORE,  /* all bytes are used up, and the body goes on */
    FRAMING_END,   /* the reply is over; bytes that are left are no part of it */
    FRAMING_BAD    /* this is not what HTTP allows */
};

/* How the reply's body will end, from the call's method and the reply's status and fields. False
 * where nobody can tell: it must not be read. */
bool framing_begin(struct framing *framing, const struct call *call);

/* Takes bytes off the front of *bytes, up to the end of a piece of content. *piece is set for
 * FRAMING_PIECE only and points into them. To be called until it says something else. */
enum framing_step framing_take(struct framing *framing, struct str *bytes, struct str *piece);

/* The connection has ended: was that the end of the reply? */
bool framing_is_ended_by_close(const struct framing *framing);

#endif
