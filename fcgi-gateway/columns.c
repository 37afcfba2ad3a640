/* columns: lines of text whose cells stand below each other.
 *
 * Apart from who prints, because how wide a column is, is known only when all lines are. Knows
 * characters (UTF-8), not what they mean.
 */
#include "columns.h"

#define GAP 2 /* spaces between columns */

void columns_init(struct columns *columns, struct arena *arena, unsigned count)
{
    *columns = (struct columns){ .arena = arena, .count = count };
}

void columns_add(struct columns *columns, const char *const *cells)
{
    size_t size = sizeof *columns->rows;
    if (columns->row_count == columns->cap) {
        unsigned cap = columns->cap ? columns->cap * 2 : 16;
        columns->rows = arena_grow(columns->arena, columns->rows, columns->cap * size, cap * size);
        columns->cap = cap;
    }
    for (unsigned i = 0; i < columns->count; i++)
        columns->rows[columns->row_count][i] = cells[i];
    columns->row_count++;
}

/* Characters, as a terminal shows most of them: bytes that begin one. */
static unsigned width_of(const char *text)
{
    unsigned width = 0;
    for (; *text; text++)
        width += (*text & 0xC0) != 0x80;
    return width;
}

static unsigned column_width(const struct columns *columns, unsigned column)
{
    unsigned most = 0;
    for (unsigned i = 0; i < columns->row_count; i++) {
        unsigned width = width_of(columns->rows[i][column]);
        most = width > most ? width : most;
    }
    return most;
}

void columns_print(const struct columns *columns, unsigned indent, FILE *out)
{
    unsigned widths[COLUMNS_MAX];
    for (unsigned i = 0; i < columns->count; i++)
        widths[i] = column_width(columns, i);
    for (unsigned row = 0; row < columns->row_count; row++) {
        unsigned spaces = indent;
        for (unsigned i = 0; i < columns->count; i++) {
            const char *cell = columns->rows[row][i];
            if (*cell)
                fprintf(out, "%*s%s", (int)spaces, "", cell);
            spaces = *cell ? 0 : spaces;
            spaces += widths[i] ? widths[i] - width_of(cell) + GAP : 0;
        }
        putc('\n', out);
    }
}
