/* quantity: durations and sizes as the file would say them: setting's other direction. */
#include "quantity.h"
#include "lib/buf.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* `units` from the largest to one of factor 1. */
static const char *write_in_units(struct arena *arena, int64_t number, const struct unit *units)
{
    struct buf text;
    while (units->factor > 1 && (number == 0 || number % units->factor))
        units++;
    buf_init(&text, arena);
    buf_int(&text, number / units->factor);
    buf_text(&text, units->name);
    return buf_as_text(&text);
}

const char *quantity_duration(struct arena *arena, int64_t duration_ms)
{
    static const struct unit units[] = {
        { "h", 60 * 60 * 1000 },
        { "min", 60 * 1000 },
        { "s", 1000 },
        { "ms", 1 },
    };
    return write_in_units(arena, duration_ms, units);
}

const char *quantity_size(struct arena *arena, int64_t bytes)
{
    static const struct unit units[] = {
        { "GiB", 1024 * 1024 * 1024 },
        { "MiB", 1024 * 1024 },
        { "KiB", 1024 },
        { "B", 1 },
    };
    return write_in_units(arena, bytes, units);
}
