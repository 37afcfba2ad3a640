/* json_out: writes JSON member by member, with the commas where they belong. */
#ifndef GATEWAY_JSON_OUT_H
#define GATEWAY_JSON_OUT_H

#include "lib/buf.h"

/* Each of these may be called inside an object that was opened by writing '{' to `out`. */

/* The name of the next member; its value is to be written next. */
void json_out_name(struct buf *out, const char *name);
void json_out_str_name(struct buf *out, struct str name);

/* A whole member: a text, or a value that is JSON already. */
void json_out_text(struct buf *out, const char *name, struct str text);
void json_out_raw(struct buf *out, const char *name, const char *json);

/* In an array: to be called before every element is written. */
void json_out_item(struct buf *out);

#endif
