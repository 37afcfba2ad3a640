/* uri: what is encoded comes back; what is decoded is text. */
#include <stdint.h>
#include <stdlib.h>
#include "lib/text.h"
#include "lib/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size }, back, value;
    struct arena arena;
    struct buf encoded;

    arena_init(&arena);
    buf_init(&encoded, &arena);
    if (uri_decode(text, &arena, &back) && (str_has(back, '\0') || !text_is_utf8(back))) {
        abort();
    }
    uri_encode(&encoded, text);
    if (uri_decode(buf_as_str(&encoded), &arena, &back)) {
        if (!str_eq(text, back)) {
            abort();
        }
    } else if (text_is_utf8(text) && !str_has(text, '\0')) {
        abort();
    }
    uri_parameter(text, "a", &arena, &value);
    text_fold(&encoded, text);
    text_title(&encoded, text);
    buf_json_string(&encoded, text);
    arena_clear(&arena);
    return 0;
}
