/* redirect: sends the client to another place.
 *
 * The place is the file's: what comes from the request is percent-encoded as far as it must be, and
 * can never become another host.
 */
#include "redirect.h"
#include "field_change.h"
#include "lib/uri.h"

/* How much of it is "https://host:port": the file's own words. */
static size_t origin_len(struct str target)
{
    const char *end = memmem(target.at, target.len, "://", 3);
    size_t len = end && *target.at != '/' ? (size_t)(end - target.at) + 3 : 0;
    while (len && len < target.len && target.at[len] != '/' && target.at[len] != '?')
        len++;
    return len;
}

/* The path of another host begins with two slashes (RFC 3986 section 4.2). No rest of a path begins
 * with one, so that "/{rest}" cannot become such a one; this is the second lock on that door. */
static void write_location(struct buf *location, struct str target)
{
    size_t origin = origin_len(target);
    buf_add(location, target.at, origin);
    target = (struct str){ target.at + origin, target.len - origin };
    if (!origin && target.len > 1 && target.at[1] == '/') {
        buf_text(location, "/%2F");
        target = (struct str){ target.at + 2, target.len - 2 };
    }
    uri_mend(location, target);
}

/* The place, and its fragment apart. Returns what is missing for them, or NULL. */
static const struct reference *write_place(const struct route *route,
    const struct reference_values *values, struct buf *target, struct buf *fragment)
{
    const struct reference *missing = template_text_write_target(route->target, values, target);
    if (missing || !route->fragment)
        return missing;
    return template_text_write_target(route->fragment, values, fragment);
}

int redirect(struct request *request, struct reply *reply, const struct route *route,
    const struct route_match *match)
{
    struct reference_values values = { .request = request, .match = match };
    struct buf target, fragment;
    buf_init(&target, request->arena);
    buf_init(&fragment, request->arena);
    const struct reference *missing = write_place(route, &values, &target, &fragment);
    if (missing)
        return reply_error(
            reply, 400, "Bad request", reference_lack(missing, &values, (struct str){ NULL, 0 }));
    if (route->keeps_query && request->has_query) {
        buf_char(&target, '?');
        buf_str(&target, request->query);
    }
    struct buf location;
    buf_init(&location, request->arena);
    write_location(&location, buf_as_str(&target));
    if (route->fragment) {
        buf_char(&location, '#');
        uri_mend(&location, buf_as_str(&fragment));
    }
    reply_field(reply, "Location", buf_as_str(&location));
    field_change_reply(reply, &route->fields, &values);
    return route->status;
}
