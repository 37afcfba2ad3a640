/* str: a piece of text somewhere else: where it starts and how many bytes. Owns nothing.
 *
 * It need not end with a NUL and may contain any byte. */
#ifndef LIB_STR_H
#define LIB_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct str {
    const char *at; /* may be NULL where len is 0 */
    size_t len;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })

static inline struct str str_of(const char *text)
{
    return (struct str){ text, text ? strlen(text) : 0 };
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
    return str_eq(a, str_of(text));
}

/* ASCII letter case ignored, as for header field names. */
static inline bool str_is_nocase(struct str a, const char *text)
{
    return a.len == strlen(text) && strncasecmp(a.at, text, a.len) == 0;
}

#endif
