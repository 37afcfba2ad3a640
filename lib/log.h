/* log: one line per event on stderr, each written whole so that lines of several threads never mix.
 *
 *   2024-11-28T08:30:00.123Z fcgi-gateway 6f2a... GET /users/1/orders 200 3.1ms users=1.2ms
 * orders=2.9ms
 *
 * Control characters and what is not UTF-8 are written as \xNN: nobody can forge a line or drive a
 * terminal. */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "request.h"

#define LOG_LINE_MAX 4096 /* longer lines are cut, and end with "..." */

/* Names the program in every line; once, before the first line. `program` must live on. */
void log_init(const char *program);

/* One line about anything but a request. */
void log_event(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line about something that went wrong while this request was served. */
void log_problem(const struct request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The line of a finished request; `took_us` in microseconds. */
void log_request(const struct request *request, int status, long long took_us);

/* Lines that a thread writes together. */
struct log_lines {
    char bytes[LOG_LINE_MAX];
    size_t len;
};

/* The calling thread's lines are collected in `lines` from now on, and written when there is no
 * room for one more, or by log_write_collected; NULL: each is written at once, as it is from the
 * beginning. What was collected so far is written. Who collects must write before it waits. */
void log_collect(struct log_lines *lines);
void log_write_collected(void);

/* Microseconds of a clock that only goes forward. */
long long log_clock_us(void);

#endif
