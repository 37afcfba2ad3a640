/* condition: conditional requests: If-Match and If-None-Match against an entity tag (RFC 9110
 * section 13).
 *
 * A field that is not a list of entity tags contains nothing from where it goes wrong: If-Match
 * then fails, which changes nothing, and If-None-Match then sends the whole reply. */
#include "condition.h"

static void skip_separators(struct str *rest)
{
    while (rest->len > 0 && (*rest->at == ' ' || *rest->at == '\t' || *rest->at == ',')) {
        rest->at++;
        rest->len--;
    }
}

/* Takes one entity tag off the front of `rest` (section 8.8.3): its quotes and what is between
 * them, where commas are nothing special. False at the end, and where there is none. */
static bool take_tag(struct str *rest, struct str *tag, bool *is_weak)
{
    skip_separators(rest);
    *is_weak = rest->len >= 2 && rest->at[0] == 'W' && rest->at[1] == '/';
    if (*is_weak) {
        rest->at += 2;
        rest->len -= 2;
    }
    if (rest->len < 2 || *rest->at != '"')
        return false;
    const char *end = memchr(rest->at + 1, '"', rest->len - 1);
    if (!end)
        return false;
    *tag = (struct str){ rest->at, (size_t)(end + 1 - rest->at) };
    rest->at += tag->len;
    rest->len -= tag->len;
    return rest->len == 0 || *rest->at == ',' || *rest->at == ' ' || *rest->at == '\t';
}

/* Strong comparison takes no weak tag for equal, weak comparison does (section 8.8.3.2). */
static bool has_tag(const char *field, struct str etag, bool is_strong)
{
    struct str rest = str_of(field), tag;
    bool is_weak;
    skip_separators(&rest);
    if (rest.len > 0 && *rest.at == '*') {
        rest.at++;
        rest.len--;
        skip_separators(&rest);
        return rest.len == 0;
    }
    while (take_tag(&rest, &tag, &is_weak))
        if (str_eq(tag, etag) && !(is_weak && is_strong))
            return true;
    return false;
}

enum condition condition_check(
    const char *if_match, const char *if_none_match, struct str etag, bool is_read)
{
    if (if_match && !has_tag(if_match, etag, true))
        return CONDITION_FAILED;
    if (if_none_match && has_tag(if_none_match, etag, false))
        return is_read ? CONDITION_NOT_MODIFIED : CONDITION_FAILED;
    return CONDITION_HOLDS;
}
