/* buf: text that grows, in an arena. Also the one place that writes JSON strings. */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include "arena.h"
#include "str.h"

struct buf {
    struct arena *arena; /* owner of the bytes */
    char *data;          /* not NUL-terminated; NULL while empty */
    size_t len, cap;
};

void buf_init(struct buf *buf, struct arena *arena);

/* `more` writable bytes at the end, to be claimed by adding to buf->len. */
char *buf_room(struct buf *buf, size_t more);

void buf_add(struct buf *buf, const char *bytes, size_t len);
void buf_str(struct buf *buf, struct str text);
void buf_text(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3), nonnull(2)));
void buf_int(struct buf *buf, long long number);

/* What was written so far; valid until the next addition. */
struct str buf_as_str(const struct buf *buf);

/* The same as a NUL-terminated string in the arena; the NUL is not counted in len. */
const char *buf_as_text(struct buf *buf);

/* `text` as a JSON string with its quotes (RFC 8259 section 7). `text` must be valid UTF-8; bytes
 * that are not become U+FFFD, so that the result is JSON whatever came in. */
void buf_json_string(struct buf *buf, struct str text);

#endif
