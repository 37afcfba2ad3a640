/* log: one line per event on stderr, written at once so that lines of several threads never mix.
 *
 * A line is put together on the stack and goes out with one write(2): no lock, no allocation, so it
 * can also be written for a request whose handler has just crashed. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "text.h"

#define CUT "..."
/* Bounds of what a client can make long, so that the status always has room behind them. */
#define METHOD_SHOWN_MAX 32
#define PATH_SHOWN_MAX 2048

struct line {
    char bytes[LOG_LINE_MAX]; /* not more than PIPE_BUF: one write to a pipe is never torn */
    size_t len;
    bool is_cut;
};

/* Set once by log_init, before there are threads. */
static const char *program_name = "-";

void log_init(const char *program)
{
    program_name = program;
}

/* Room is always left for the mark of a cut line and the line's end. */
static void line_raw(struct line *line, const char *bytes, size_t len)
{
    if (line->is_cut || len > sizeof(line->bytes) - sizeof(CUT) - line->len) {
        line->is_cut = true;
        return;
    }
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
}

static bool is_control(unsigned code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

/* Appends what came from outside: control characters (also those of the upper half, U+0080 to
 * U+009F) and bytes that are not UTF-8 become \xNN. */
static void line_escaped(struct line *line, struct str text)
{
    while (text.len > 0 && !line->is_cut) {
        unsigned code_point = (unsigned char)text.at[0];
        size_t size = code_point < 0x80 ? 1 : text_char(text, &code_point);
        if (size > 0 && !is_control(code_point)) {
            line_raw(line, text.at, size);
        } else {
            size = size > 0 ? size : 1;
            for (size_t i = 0; i < size; i++) {
                char escape[5];
                snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)text.at[i]);
                line_raw(line, escape, 4);
            }
        }
        text.at += size;
        text.len -= size;
    }
}

static void line_word(struct line *line, struct str word, size_t shown_max)
{
    bool is_long = word.len > shown_max;

    line_raw(line, " ", 1);
    line_escaped(line, (struct str){ word.at, is_long ? shown_max : word.len });
    if (is_long)
        line_raw(line, CUT, sizeof(CUT) - 1);
}

/* "2024-11-28T08:30:00.123Z". Not by gmtime_r, which takes a lock of the C library. */
static void line_time(struct line *line)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);

    /* The Gregorian calendar as days since 0000-03-01, in eras of 400 years: leap days are then the
     * last days of years and need no case of their own. */
    long long days = now.tv_sec / 86400 + 719468, seconds = now.tv_sec % 86400;
    long long era = days / 146097, day_of_era = days % 146097;
    long long year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    long long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    long long month_from_march = (5 * day_of_year + 2) / 153;
    int day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    int year = (int)(year_of_era + era * 400 + (month <= 2));

    char text[64];
    int len = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
        (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60),
        (int)(now.tv_nsec / 1000000));
    line_raw(line, text, (size_t)len);
}

static void line_begin(struct line *line)
{
    line->len = 0;
    line->is_cut = false;
    line_time(line);
    line_word(line, str_of(program_name), PATH_SHOWN_MAX);
}

static void line_end(struct line *line)
{
    if (line->is_cut) {
        memcpy(line->bytes + line->len, CUT, sizeof(CUT) - 1);
        line->len += sizeof(CUT) - 1;
    }
    line->bytes[line->len++] = '\n';
    if (write(STDERR_FILENO, line->bytes, line->len) < 0)
        return; /* there is nowhere to say that nothing can be said */
}

__attribute__((format(printf, 2, 0))) static void line_format(
    struct line *line, const char *format, va_list arguments)
{
    char text[LOG_LINE_MAX];
    int len = vsnprintf(text, sizeof(text), format, arguments);
    if (len < 0)
        return;

    struct str shown = { text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1 };
    line_word(line, shown, sizeof(text));
}

void log_event(const char *format, ...)
{
    struct line line;
    va_list arguments;

    line_begin(&line);
    va_start(arguments, format);
    line_format(&line, format, arguments);
    va_end(arguments);
    line_end(&line);
}

void log_problem(const struct request *request, const char *format, ...)
{
    struct line line;
    va_list arguments;

    line_begin(&line);
    line_word(&line, str_of(request->id), REQUEST_ID_MAX);
    va_start(arguments, format);
    line_format(&line, format, arguments);
    va_end(arguments);
    line_end(&line);
}

void log_request(const struct request *request, int status, long long took_us)
{
    struct line line;
    char figures[48];
    long long tenths = (took_us + 50) / 100;
    int len =
        snprintf(figures, sizeof(figures), " %d %lld.%lldms", status, tenths / 10, tenths % 10);

    line_begin(&line);
    line_word(&line, str_of(request->id), REQUEST_ID_MAX);
    line_word(&line, str_of(request->method), METHOD_SHOWN_MAX);
    line_word(&line, request->path, PATH_SHOWN_MAX);
    line_raw(&line, figures, (size_t)len);
    if (request->log.len > 0)
        line_word(&line, buf_as_str(&request->log), LOG_LINE_MAX);
    line_end(&line);
}

long long log_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}
