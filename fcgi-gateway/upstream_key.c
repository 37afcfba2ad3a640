/* upstream_key: by what a call finds its server, where the same text means the same server.
 *
 * A request that lacks the text goes anywhere, each to another server.
 */
#include "upstream_key.h"
#include "template.h"

uint64_t upstream_key(const struct upstream *upstream, const struct reference_values *values)
{
    const struct request *request = values->request;
    struct buf text;
    if (upstream->balance.kind != BALANCE_HASH)
        return 0;
    buf_init(&text, request->arena);
    if (!template_text_write(upstream->balance_key, values, &text))
        return balance_hash(str_of(request->id));
    return balance_hash(buf_as_str(&text));
}
