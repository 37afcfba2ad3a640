/* condition: conditional requests: If-Match and If-None-Match against an entity tag (RFC 9110
 * section 13). */
#ifndef LIB_CONDITION_H
#define LIB_CONDITION_H

#include <stdbool.h>
#include "str.h"

enum condition {
    CONDITION_HOLDS,        /* go on */
    CONDITION_NOT_MODIFIED, /* 304, to GET and HEAD only */
    CONDITION_FAILED,       /* 412 */
};

/* The fields' values or NULL; `etag` is the resource's strong entity tag with its quotes. To be
 * asked once it is known that there is such a resource: without one, 404 goes first
 * (section 13.2.1). */
enum condition condition_check(
    const char *if_match, const char *if_none_match, struct str etag, bool is_read);

#endif
