/* quantity: durations, sizes and shares as people write them, read and written.
 *
 * The unit stands with the number, so that nobody has to know whether a bare 5 is seconds.
 */
#include "quantity.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/buf.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* From the largest to one of factor 1. */
static const struct unit durations[] = {
    { "h", 60 * 60 * 1000 },
    { "min", 60 * 1000 },
    { "s", 1000 },
    { "ms", 1 },
};

static const struct unit sizes[] = {
    { "GiB", 1024 * 1024 * 1024 },
    { "MiB", 1024 * 1024 },
    { "KiB", 1024 },
    { "B", 1 },
};

static const struct unit shares[] = { { "%", 1 } };

static const char *write_in_units(struct arena *arena, int64_t number, const struct unit *unit)
{
    struct buf text;
    while (unit->factor > 1 && (number == 0 || number % unit->factor))
        unit++;
    buf_init(&text, arena);
    buf_int(&text, number / unit->factor);
    buf_text(&text, unit->name);
    return buf_as_text(&text);
}

/* "5s": the number times the unit's factor, or -1. */
static int64_t measure(const char *text, const struct unit *unit)
{
    if (*text < '0' || *text > '9')
        return -1;
    char *name;
    errno = 0;
    long long number = strtoll(text, &name, 10);
    while (unit->factor > 1 && strcmp(name, unit->name) != 0)
        unit++;
    if (errno || strcmp(name, unit->name) != 0 || number > INT64_MAX / unit->factor)
        return -1;
    return number * unit->factor;
}

const char *quantity_duration(struct arena *arena, int64_t duration_ms)
{
    return write_in_units(arena, duration_ms, durations);
}

const char *quantity_size(struct arena *arena, int64_t bytes)
{
    return write_in_units(arena, bytes, sizes);
}

int64_t quantity_duration_of(const char *text)
{
    return measure(text, durations);
}

int64_t quantity_size_of(const char *text)
{
    return measure(text, sizes);
}

int64_t quantity_share_of(const char *text)
{
    return measure(text, shares);
}
