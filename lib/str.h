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

/* A number's constant inside a literal: "at most " STR_NUMBER(LINES_MAX) " lines". */
#define STR_NUMBER(constant) STR_NUMBER_(constant)
#define STR_NUMBER_(number) #number

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

/* ASCII letter case ignored, as for header field names. Most differ in their first letter already;
 * letters of different case differ in one bit. */
static inline bool str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || (((a.at[0] ^ b.at[0]) & ~0x20) == 0 &&
                                                strncasecmp(a.at, b.at, a.len) == 0));
}

static inline bool str_is_nocase(struct str a, const char *text)
{
    return str_eq_nocase(a, str_of(text));
}

static inline bool str_has(struct str text, char c)
{
    return text.len > 0 && memchr(text.at, c, text.len) != NULL;
}

/* Takes off the front of `rest` what stands before `separator` (all of it where there is none), and
 * the separator with it. */
static inline struct str str_take(struct str *rest, char separator)
{
    const char *end = rest->len > 0 ? memchr(rest->at, separator, rest->len) : NULL;
    struct str piece = { rest->at, end ? (size_t)(end - rest->at) : rest->len };

    if (rest->len > 0) {
        rest->at += piece.len + (end ? 1 : 0);
        rest->len -= piece.len + (end ? 1 : 0);
    }
    return piece;
}

#endif
