/* uri: percent-encoding and query parameters (RFC 3986). */
#ifndef LIB_URI_H
#define LIB_URI_H

#include <stdbool.h>
#include "arena.h"
#include "buf.h"
#include "str.h"

/* Resolves %XX into *out (in `arena`, or the text itself where there is nothing to resolve). False
 * where a '%' is not followed by two hex digits, where a NUL comes out, or where the result is not
 * valid UTF-8. RFC 3986 section 2.1. */
bool uri_decode(struct str text, struct arena *arena, struct str *out);

/* The same for a parameter's name or value, where '+' is a space. */
bool uri_decode_parameter(struct str text, struct arena *arena, struct str *out);

/* Appends `text`, a path and query, with everything percent-encoded that must not stand in them as
 * it is; what is percent-encoded stays so. RFC 3986 sections 3.3 and 3.4. */
void uri_mend(struct buf *out, struct str text);

/* Appends `text` with everything but unreserved characters percent-encoded: safe inside one path
 * segment and inside a query parameter's name or value. RFC 3986 sections 2.3 and 3.3. */
void uri_encode(struct buf *out, struct str text);

/* The path in the one spelling of all that are equivalent: resolves %XX of unreserved characters
 * and of what is not ASCII, and writes all others in upper case (in `arena`, or the text itself
 * where it has no '%'). RFC 3986 section 6.2.2, RFC 3987 section 5.3.2. */
struct str uri_one_spelling(struct str path, struct arena *arena);

enum uri_parameter {
    URI_ABSENT,
    URI_PRESENT,
    URI_BROKEN, /* its percent-encoding is broken */
};

/* The first value of parameter `name` of a query string (without '?'): '&' separates, '+' is a
 * space, as HTML forms and curl --data-urlencode write it. */
enum uri_parameter uri_parameter(
    struct str query, const char *name, struct arena *arena, struct str *value);

#endif
