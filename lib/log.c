/* log: one line per event on stderr, each written whole so that lines of several threads never mix.
 *
 * A line is put together on the stack and goes out with one write(2), alone or with others of the
 * same thread: no lock, no allocation, so it can also be written for a request whose handler has
 * just crashed. */
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

static _Thread_local struct log_lines *collected; /* NULL: the thread writes each at once */

/* Room is always left for the mark of a cut line and the line's end. */
static size_t line_room(const struct line *line)
{
    return sizeof(line->bytes) - sizeof(CUT) - line->len;
}

static void line_raw(struct line *line, const char *bytes, size_t len)
{
    if (line->is_cut || len > line_room(line)) {
        line->is_cut = true;
        return;
    }
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
}

/* No printf here and in line_time: it would cost more than all the rest of a request's line. */
static void line_number(struct line *line, unsigned long long number)
{
    char digits[20]; /* of 64 bits */
    char *end = digits + sizeof(digits), *at = end;

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    line_raw(line, at, (size_t)(end - at));
}

static bool is_control(unsigned code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

/* The one character at text.at; returns how many bytes it takes. */
static size_t line_char(struct line *line, struct str text)
{
    unsigned code_point;
    size_t size = text_char(text, &code_point);

    if (size > 0 && !is_control(code_point)) {
        line_raw(line, text.at, size);
        return size;
    }
    size = size > 0 ? size : 1;
    for (size_t i = 0; i < size; i++) {
        char escape[5];
        snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)text.at[i]);
        line_raw(line, escape, 4);
    }
    return size;
}

/* How many bytes at the start can be copied together: printable ASCII for which there is room. */
static size_t plain_len(const struct line *line, struct str text)
{
    size_t len = 0, len_max = text.len < line_room(line) ? text.len : line_room(line);
    while (len < len_max && text.at[len] >= 0x20 && text.at[len] < 0x7f)
        len++;
    return len;
}

/* Appends what came from outside: control characters (also those of the upper half, U+0080 to
 * U+009F) and bytes that are not UTF-8 become \xNN. */
static void line_escaped(struct line *line, struct str text)
{
    while (text.len > 0 && !line->is_cut) {
        size_t len = plain_len(line, text);
        if (len > 0)
            line_raw(line, text.at, len);
        else
            len = line_char(line, text);
        text.at += len;
        text.len -= len;
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

/* The last `width` digits of a number. */
static void put_digits(char *to, size_t width, long long number)
{
    for (; width > 0; width--, number /= 10)
        to[width - 1] = (char)('0' + number % 10);
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
    long long day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    long long month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    long long year = year_of_era + era * 400 + (month <= 2);

    char text[] = "yyyy-mm-ddThh:mm:ss.mmmZ";
    put_digits(text, 4, year);
    put_digits(text + 5, 2, month);
    put_digits(text + 8, 2, day);
    put_digits(text + 11, 2, seconds / 3600);
    put_digits(text + 14, 2, seconds / 60 % 60);
    put_digits(text + 17, 2, seconds % 60);
    put_digits(text + 20, 3, now.tv_nsec / 1000000);
    line_raw(line, text, sizeof(text) - 1);
}

static void line_begin(struct line *line)
{
    line->len = 0;
    line->is_cut = false;
    line_time(line);
    line_word(line, str_of(program_name), PATH_SHOWN_MAX);
}

static void write_out(const char *bytes, size_t len)
{
    if (len > 0 && write(STDERR_FILENO, bytes, len) < 0)
        return; /* there is nowhere to say that nothing can be said */
}

/* A function of its own, as is log_collect: a thread's variables may change their place under a
 * fiber (guard.c). */
__attribute__((noinline)) void log_write_collected(void)
{
    if (!collected)
        return;
    write_out(collected->bytes, collected->len);
    collected->len = 0;
}

__attribute__((noinline)) void log_collect(struct log_lines *lines)
{
    log_write_collected();
    collected = lines;
}

/* False where the thread collects none. */
__attribute__((noinline)) static bool collect(const struct line *line)
{
    if (!collected)
        return false;
    if (line->len > sizeof collected->bytes - collected->len)
        log_write_collected();
    memcpy(collected->bytes + collected->len, line->bytes, line->len);
    collected->len += line->len;
    return true;
}

static void line_end(struct line *line)
{
    if (line->is_cut) {
        memcpy(line->bytes + line->len, CUT, sizeof(CUT) - 1);
        line->len += sizeof(CUT) - 1;
    }
    line->bytes[line->len++] = '\n';
    if (!collect(line))
        write_out(line->bytes, line->len);
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
    unsigned long long tenths = (unsigned long long)(took_us + 50) / 100; /* of a millisecond */

    line_begin(&line);
    line_word(&line, str_of(request->id), REQUEST_ID_MAX);
    line_word(&line, str_of(request->method), METHOD_SHOWN_MAX);
    line_word(&line, request->path, PATH_SHOWN_MAX);
    line_raw(&line, " ", 1);
    line_number(&line, (unsigned long long)status);
    line_raw(&line, " ", 1);
    line_number(&line, tenths / 10);
    line_raw(&line, ".", 1);
    line_number(&line, tenths % 10);
    line_raw(&line, "ms", 2);
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
