/* resend: answers a request by a stored reply. */
#include "resend.h"
#include "field_text.h"
#include "lib/condition.h"
#include "lib/log.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Milliseconds since the reply was made, as far as is known. */
static long long age_ms(const struct stored *stored, long long now_us)
{
    return stored->freshness.age_ms + (now_us - stored->arrived_us) / 1000;
}

/* Whole seconds, rounded down also below 0. */
static long long seconds(long long ms)
{
    return ms >= 0 ? ms / 1000 : -((999 - ms) / 1000);
}

struct str resend_hit(const struct request *request, const struct stored *stored, long long now_us)
{
    struct buf words;
    buf_init(&words, request->arena);
    buf_printf(
        &words, "hit; ttl=%lld", seconds(stored->freshness.lifetime_ms - age_ms(stored, now_us)));
    return buf_as_str(&words);
}

/* RFC 9211 section 2: which cache is a token or a string. The gateway's name is a token. */
void resend_add_cache_status(struct buf *fields, struct str gateway, struct str words)
{
    if (words.len == 0)
        return;
    buf_text(fields, "Cache-Status: ");
    buf_str(fields, gateway);
    buf_text(fields, "; ");
    buf_str(fields, words);
    buf_text(fields, "\r\n");
}

void resend_copy_for_304(struct buf *out, struct str fields)
{
    static const char *const of_body[] = { "Content-Length", "Content-Type", "Content-Encoding",
        "Content-Language", "Content-Range" };
    field_text_copy_without(out, fields, of_body, COUNT(of_body));
}

bool resend_is_known(const struct request *request, struct str fields)
{
    const char *if_none_match = request_header(request, "If-None-Match");
    const char *since = request_header(request, "If-Modified-Since");
    long long since_s, modified_s;
    if (if_none_match) {
        struct str etag = field_text_value(fields, "ETag", request->arena);
        if (etag.len > 2 && etag.at[0] == 'W' && etag.at[1] == '/')
            etag = (struct str){ etag.at + 2, etag.len - 2 };
        return etag.at &&
               condition_check(NULL, if_none_match, etag, true) == CONDITION_NOT_MODIFIED;
    }
    struct str modified = field_text_value(fields, "Last-Modified", request->arena);
    return since && freshness_date(str_of(since), &since_s) &&
           freshness_date(modified, &modified_s) && modified_s <= since_s;
}

static void release(void *stored)
{
    stored_release(stored);
}

int resend(struct reply *reply, struct stored *stored, bool has_age, struct str gateway,
    struct str cache_status)
{
    struct arena *arena = reply->request->arena;
    bool is_known = stored->status == 200 && resend_is_known(reply->request, stored->fields);
    arena_at_end(arena, release, stored); /* its body is sent when the handler has returned */
    buf_init(&reply->fields, arena);
    if (is_known)
        resend_copy_for_304(&reply->fields, stored->fields);
    else
        buf_str(&reply->fields, stored->fields);
    if (has_age)
        buf_printf(&reply->fields, "Age: %lld\r\n", age_ms(stored, log_clock_us()) / 1000);
    resend_add_cache_status(&reply->fields, gateway, cache_status);
    reply->body = stored->body;
    return is_known ? 304 : stored->status;
}
