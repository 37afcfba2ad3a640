/* text: UTF-8 text as people see it: valid or not, its letter case.
 *
 * Letter case is that of the C.UTF-8 locale, which every Debian has built in. */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include <stdbool.h>
#include "buf.h"
#include "str.h"

/* Reads one character at text.at (text.len > 0): how many bytes it takes (1-4) and its code point,
 * or 0 where the bytes are not valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most
 * U+10FFFF). */
size_t text_char(struct str text, unsigned *code_point);

bool text_is_utf8(struct str text);

/* Writes a valid code point as UTF-8 to `out` (room for 4 bytes); returns how many bytes it took.
 */
size_t text_put(char *out, unsigned code_point);

/* Has it a control character of ASCII, such as a line end or NUL? */
bool text_has_control(struct str text);

/* What a hex digit stands for, 0-15, or -1 where `c` is none. */
int text_hex(char c);

/* Appends `text` in lower case: two texts that differ in letter case only become equal. */
void text_fold(struct buf *out, struct str text);

/* Appends `text` with the first letter of every word in upper case and the rest in lower case:
 * "bebida QUENTE" becomes "Bebida Quente". */
void text_title(struct buf *out, struct str text);

#endif
