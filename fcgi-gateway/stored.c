/* stored: a whole reply in memory, shared by those who send it.
 *
 * Not in an arena: it outlives the request that brought it.
 */
#include "stored.h"
#include <stdlib.h>

#define DRAFT_MIN 2048 /* bytes: most replies fit at once */

/* Makes room for `more` bytes. */
static bool make_room(struct stored_draft *draft, size_t more)
{
    size_t cap = draft->cap ? draft->cap : DRAFT_MIN;
    if (draft->cap - draft->len >= more && draft->bytes)
        return true;
    while (cap - draft->len < more)
        cap *= 2;
    char *bytes = realloc(draft->bytes, cap);
    if (!bytes)
        return false;
    draft->bytes = bytes;
    draft->cap = cap;
    return true;
}

static bool append(struct stored_draft *draft, struct str text)
{
    if (!make_room(draft, text.len)) {
        stored_drop(draft);
        return false;
    }
    if (text.len)
        memcpy(draft->bytes + draft->len, text.at, text.len);
    draft->len += text.len;
    return true;
}

bool stored_begin(struct stored_draft *draft, int status, struct str fields, size_t body_max)
{
    *draft = (struct stored_draft){ .status = status, .body_max = body_max };
    if (!append(draft, fields))
        return false;
    draft->fields_len = draft->len;
    return true;
}

bool stored_add(struct stored_draft *draft, const char *bytes, size_t len)
{
    if (!draft->bytes)
        return false;
    if (len <= draft->body_max && draft->len - draft->fields_len <= draft->body_max - len)
        return append(draft, (struct str){ bytes, len });
    stored_drop(draft);
    return false;
}

void stored_drop(struct stored_draft *draft)
{
    free(draft->bytes);
    *draft = (struct stored_draft){ 0 };
}

bool stored_is_empty(const struct stored_draft *draft)
{
    return !draft->bytes;
}

struct stored *stored_end(struct stored_draft *draft, struct str vary, struct str vary_values)
{
    size_t len = draft->len + vary.len + vary_values.len;
    struct stored *stored = draft->bytes ? malloc(sizeof *stored + len) : NULL;
    if (!stored) {
        stored_drop(draft);
        return NULL;
    }
    char *at = (char *)(stored + 1), *vary_at = at + draft->len, *values_at = vary_at + vary.len;
    memcpy(at, draft->bytes, draft->len);
    if (vary.len)
        memcpy(vary_at, vary.at, vary.len);
    if (vary_values.len)
        memcpy(values_at, vary_values.at, vary_values.len);
    *stored = (struct stored){
        .status = draft->status,
        .fields = { at, draft->fields_len },
        .body = { at + draft->fields_len, draft->len - draft->fields_len },
        .vary = { vary_at, vary.len },
        .vary_values = { values_at, vary_values.len },
        .bytes = sizeof *stored + len,
        .is_claimed = ATOMIC_FLAG_INIT,
        .users = 1,
    };
    stored_drop(draft);
    return stored;
}

struct stored *stored_use(struct stored *stored)
{
    if (stored)
        atomic_fetch_add_explicit(&stored->users, 1, memory_order_relaxed);
    return stored;
}

void stored_release(struct stored *stored)
{
    if (stored && atomic_fetch_sub_explicit(&stored->users, 1, memory_order_acq_rel) == 1)
        free(stored);
}
