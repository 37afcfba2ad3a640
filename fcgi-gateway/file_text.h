/* file_text: the whole text of a file, whatever kind of file it is. */
#ifndef GATEWAY_FILE_TEXT_H
#define GATEWAY_FILE_TEXT_H

#include <stdbool.h>
#include "lib/arena.h"
#include "lib/str.h"

/* The text, in the arena, or a str at NULL and why. Who writes to a pipe is waited for: where
 * `is_patient` is not set, no longer than a second; where it is, as long as somebody writes to it.
 */
struct str file_text_read(const char *file, bool is_patient, struct arena *arena, const char **why);

#endif
