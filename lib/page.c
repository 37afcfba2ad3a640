/* page: a list is told in pages: which rows are asked for, and the link to those that follow.
 *
 * A page begins behind an id and not after a number of rows: it costs the same wherever it is, and
 * a row that is added or deleted meanwhile makes no other appear twice or never. */
#include "page.h"
#include "uri.h"

bool page_number(struct str text, int64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = text.at[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, digit, number))
            return false;
    }
    return text.len > 0;
}

/* False where the parameter is there and no number. */
static bool read_number(struct str query, const char *name, struct arena *arena, int64_t *number)
{
    struct str value;
    switch (uri_parameter(query, name, arena, &value)) {
    case URI_ABSENT:
        return true;
    case URI_PRESENT:
        return page_number(value, number);
    case URI_BROKEN:
        break;
    }
    return false;
}

const char *page_read(struct str query, struct arena *arena, struct page *page)
{
    *page = (struct page){ .limit = PAGE_LIMIT_DEFAULT };
    if (!read_number(query, "limit", arena, &page->limit) || page->limit < 1 ||
        page->limit > PAGE_LIMIT_MAX)
        return "limit must be a whole number from 1 to " STR_NUMBER(PAGE_LIMIT_MAX);
    if (!read_number(query, "after", arena, &page->after))
        return "after must be the id behind which the list begins";
    return NULL;
}

/* What may stand in a URI stays, percent-encodings too (RFC 3986 section 2); all else is encoded:
 * above all what would end the link, or the field. */
static void add_raw(struct buf *out, struct str raw)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-._~:/?#[]@!$&'()*+,;=%";
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.at[i] != '\0' && strchr(allowed, raw.at[i]))
            buf_char(out, raw.at[i]);
        else
            uri_encode(out, (struct str){ raw.at + i, 1 });
    }
}

static bool is_after(struct str pair, struct arena *arena)
{
    struct str name = str_take(&pair, '='), decoded;
    return uri_decode(name, arena, &decoded) && str_is(decoded, "after");
}

void page_link(struct buf *out, struct str path, struct str query, int64_t after)
{
    buf_char(out, '<');
    add_raw(out, path);
    buf_char(out, '?');
    while (query.len > 0) {
        struct str pair = str_take(&query, '&');
        if (pair.len == 0 || is_after(pair, out->arena))
            continue;
        add_raw(out, pair);
        buf_char(out, '&');
    }
    buf_printf(out, "after=%lld>; rel=\"next\"", (long long)after);
}
