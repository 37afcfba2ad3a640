/* field_text: header fields as one text, "Name: value\r\n" each, looked into and copied in part. */
#ifndef GATEWAY_FIELD_TEXT_H
#define GATEWAY_FIELD_TEXT_H

#include "lib/buf.h"

/* Takes the next field off the front of `rest`; false at its end. */
bool field_text_next(struct str *rest, struct str *name, struct str *value);

/* The values of all fields with this name (letter case ignored) as one list, joined by ", " (RFC
 * 9110 section 5.3); at NULL where there is none. One value is a part of `fields`, several are in
 * the arena. */
struct str field_text_value(struct str fields, const char *name, struct arena *arena);

/* Takes the next member off the front of a comma-separated list, without the white space around it;
 * commas inside of quotes separate nothing (RFC 9110 section 5.6.1). False at its end. Members are
 * never empty. */
bool field_text_member(struct str *list, struct str *member);

/* Appends all fields but those whose name is one of `names`, or begins with one that ends with '*'.
 */
void field_text_copy_without(
    struct buf *out, struct str fields, const char *const *names, size_t name_count);

#endif
