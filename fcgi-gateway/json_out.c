/* json_out: writes JSON member by member, with the commas where they belong.
 *
 * Whoever writes a document of optional parts need not know which of them comes first: the byte
 * before tells. For documents that are made once; what is written per request is literal pieces.
 */
#include "json_out.h"

void json_out_item(struct buf *out)
{
    char before = out->len ? out->data[out->len - 1] : '[';
    if (before != '{' && before != '[' && before != ':')
        buf_char(out, ',');
}

void json_out_str_name(struct buf *out, struct str name)
{
    json_out_item(out);
    buf_json_string(out, name);
    buf_char(out, ':');
}

void json_out_name(struct buf *out, const char *name)
{
    json_out_str_name(out, str_of(name));
}

void json_out_text(struct buf *out, const char *name, struct str text)
{
    json_out_name(out, name);
    buf_json_string(out, text);
}

void json_out_raw(struct buf *out, const char *name, const char *json)
{
    json_out_name(out, name);
    buf_text(out, json);
}
