/* mistake: collects what is wrong with a configuration file and tells it in one go.
 *
 * All mistakes are found in one pass, so nobody has to mend and start again for each. Knows places
 * and texts; does not know what a configuration is.
 */
#include "mistake.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include "lib/buf.h"
#include "lib/json.h"

/* Longer words are compared by their first letters only: a bound for edit_distance's rows. */
#define WORD_MAX 48

/* A file may have hundreds of upstreams; a line that lists them all helps nobody. No object knows
 * more keys. */
#define LISTED_MAX 32

void mistakes_init(
    struct mistakes *mistakes, struct arena *arena, const char *file, struct str text)
{
    *mistakes = (struct mistakes){ .arena = arena, .file = file, .text = text };
}

__attribute__((format(printf, 2, 0))) static const char *format_text(
    struct arena *arena, const char *format, va_list values)
{
    va_list again;
    va_copy(again, values);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = arena_alloc(arena, len + 1);
    vsnprintf(text, len + 1, format, values);
    return text;
}

static void add(struct mistakes *mistakes, struct mistake mistake)
{
    if (mistakes->count == mistakes->cap) {
        unsigned cap = mistakes->cap ? mistakes->cap * 2 : 8;
        size_t size = sizeof *mistakes->list;
        mistakes->list =
            arena_grow(mistakes->arena, mistakes->list, mistakes->cap * size, cap * size);
        mistakes->cap = cap;
    }
    mistakes->list[mistakes->count++] = mistake;
    mistakes->warning_count += mistake.is_warning;
}

void mistake_add(struct mistakes *mistakes, size_t at, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    add(mistakes, (struct mistake){ at, format_text(mistakes->arena, format, values), false });
    va_end(values);
}

void mistake_warn(struct mistakes *mistakes, size_t at, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    add(mistakes, (struct mistake){ at, format_text(mistakes->arena, format, values), true });
    va_end(values);
}

static void find_lines(struct mistakes *mistakes)
{
    struct str text = mistakes->text;
    unsigned count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '\n';
    mistakes->line_ends = arena_alloc(mistakes->arena, count * sizeof *mistakes->line_ends);
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == '\n')
            mistakes->line_ends[mistakes->line_count++] = i;
    mistakes->line_ends[mistakes->line_count++] = text.len;
}

unsigned mistake_line(struct mistakes *mistakes, size_t at)
{
    if (!mistakes->line_ends)
        find_lines(mistakes);
    unsigned first = 0, last = mistakes->line_count - 1;
    while (first < last) {
        unsigned middle = first + (last - first) / 2;
        if (mistakes->line_ends[middle] < at)
            first = middle + 1;
        else
            last = middle;
    }
    return first + 1;
}

bool mistakes_are_there(const struct mistakes *mistakes)
{
    return mistakes->count > mistakes->warning_count;
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

static bool is_same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static bool is_swapped(struct str a, unsigned i, struct str b, unsigned j)
{
    return i > 1 && j > 1 && is_same(a.at[i - 1], b.at[j - 2]) && is_same(a.at[i - 2], b.at[j - 1]);
}

/* How many letters must be changed, added, removed or swapped with their neighbour to make one word
 * of the other, whatever their case. */
static unsigned edit_distance(struct str a, struct str b)
{
    unsigned rows[3][WORD_MAX + 1]; /* of the last three letters of `a` */
    for (unsigned j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned change = above[j - 1] + !is_same(a.at[i - 1], b.at[j - 1]);
            row[j] = smallest(change, above[j] + 1, row[j - 1] + 1);
            if (is_swapped(a, i, b, j) && rows[(i + 1) % 3][j - 2] + 1 < row[j])
                row[j] = rows[(i + 1) % 3][j - 2] + 1;
        }
    }
    return rows[a.len % 3][b.len];
}

static struct str cut(struct str word)
{
    return (struct str){ word.at, word.len < WORD_MAX ? word.len : WORD_MAX };
}

/* " (known here: a, b)" */
static const char *list_known(struct arena *arena, const char *const *known, unsigned known_count)
{
    if (!known_count)
        return "";
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, " (known here: %s", known[0]);
    for (unsigned i = 1; i < known_count && i < LISTED_MAX; i++)
        buf_printf(&text, ", %s", known[i]);
    buf_text(&text, known_count > LISTED_MAX ? ", ...)" : ")");
    return buf_as_text(&text);
}

const char *mistake_suggestion(
    struct arena *arena, struct str word, const char *const *known, unsigned known_count)
{
    const char *nearest = NULL;
    unsigned least = (word.len + 1) / 3; /* so many letters may be wrong */
    for (unsigned i = 0; i < known_count; i++) {
        unsigned distance = edit_distance(cut(word), cut(str_of(known[i])));
        if (distance <= least && (!nearest || distance < least)) {
            least = distance;
            nearest = known[i];
        }
    }
    if (!nearest)
        return list_known(arena, known, known_count);
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text, " (did you mean '%s'?)", nearest);
    return buf_as_text(&text);
}

static int by_place(const void *a, const void *b)
{
    const struct mistake *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return strcmp(x->what, y->what); /* qsort keeps no order: always the same */
}

static const char *escape(struct arena *arena, const char *text)
{
    struct buf out;
    buf_init(&out, arena);
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            buf_printf(&out, "\\u%04x", (unsigned char)*text);
        else
            buf_char(&out, *text);
    return buf_as_text(&out);
}

/* A place in the file, from which the next one is counted on: there may be many mistakes, also in
 * one line. */
struct place {
    size_t at;
    unsigned line, column;
};

static void go_to(struct place *place, struct str text, size_t at)
{
    struct str rest = { text.at + place->at, text.len - place->at };
    unsigned lines, column;
    at = at < text.len ? at : text.len;
    json_position(rest, at - place->at, &lines, &column);
    place->column = lines > 1 ? column : place->column + column - 1;
    place->line += lines - 1;
    place->at = at;
}

void mistakes_print(struct mistakes *mistakes, FILE *out)
{
    struct place place = { .line = 1, .column = 1 };
    if (mistakes->count)
        qsort(mistakes->list, mistakes->count, sizeof *mistakes->list, by_place);
    for (unsigned i = 0; i < mistakes->count; i++) {
        const struct mistake *mistake = &mistakes->list[i];
        go_to(&place, mistakes->text, mistake->at);
        fprintf(out, "%s:%u:%u: %s%s\n", mistakes->file, place.line, place.column,
            mistake->is_warning ? "warning: " : "", escape(mistakes->arena, mistake->what));
    }
}
