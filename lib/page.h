/* page: a list is told in pages: which rows are asked for, and the link to those that follow. */
#ifndef LIB_PAGE_H
#define LIB_PAGE_H

#include <stdint.h>
#include "arena.h"
#include "buf.h"
#include "str.h"

#define PAGE_LIMIT_DEFAULT 100
#define PAGE_LIMIT_MAX 1000 /* rows of a page: some 300 KB */

struct page {
    int64_t limit; /* how many rows at most */
    int64_t after; /* those with a higher id than this */
};

/* Reads ?limit= and ?after=. Returns NULL, or what is wrong with them, for the client. */
const char *page_read(struct str query, struct arena *arena, struct page *page);

/* Digits, nothing else, that fit into an int64_t. */
bool page_number(struct str text, int64_t *number);

/* Appends what a Link field (RFC 8288) says about the page that follows the row `after`: the same
 * path and parameters, so that the link works wherever the path does. */
void page_link(struct buf *out, struct str path, struct str query, int64_t after);

#endif
