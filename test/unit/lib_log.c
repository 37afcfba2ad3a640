/* lib_log: lines as they are written, bytes that are escaped, lines of many threads. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define TIME_LEN 24 /* 2024-11-28T08:30:00.123Z */
#define THREADS 4
#define LINES 300

static struct arena arena;
static FILE *caught; /* what went to stderr */
static int real_stderr;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    log_init("prog");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static void catch_stderr(void)
{
    caught = tmpfile();
    assert_non_null(caught);
    real_stderr = dup(STDERR_FILENO);
    dup2(fileno(caught), STDERR_FILENO);
}

static void release_stderr(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    rewind(caught);
}

/* The one line that was caught, behind its time, without its end. */
static const char *caught_line(void)
{
    static char line[LOG_LINE_MAX + 2];

    release_stderr();
    assert_non_null(fgets(line, sizeof(line), caught));
    assert_int_equal(fgetc(caught), EOF);
    fclose(caught);
    size_t len = strlen(line);
    assert_true(len > TIME_LEN && len <= LOG_LINE_MAX && line[len - 1] == '\n');
    line[len - 1] = 0;
    return line + TIME_LEN;
}

static struct request request_of(const char *method, const char *path, const char *more)
{
    struct request request = { .arena = &arena,
        .id = "id-1",
        .method = method,
        .path = str_of(path),
        .query = STR("secret=1"),
        .has_query = true };
    buf_init(&request.log, &arena);
    buf_text(&request.log, more);
    return request;
}

static void request_lines(void **state)
{
    static const struct {
        const char *method, *path, *more;
        long long took_us;
        const char *expected;
    } cases[] = {
        { "GET", "/users/1", "", 3149, " prog id-1 GET /users/1 200 3.1ms" },
        { "GET", "/a", "users=1.2ms", 3150, " prog id-1 GET /a 200 3.2ms users=1.2ms" },
        { "GET", "/a", "", 0, " prog id-1 GET /a 200 0.0ms" },
        { "GET", "/a", "", 61000000, " prog id-1 GET /a 200 61000.0ms" },
        { "-", "", "", 10, " prog id-1 -  200 0.0ms" },
        { "G\nT", "/a\r\n\033[1m", "x\ny", 0,
            " prog id-1 G\\x0aT /a\\x0d\\x0a\\x1b[1m 200 0.0ms x\\x0ay" },
        { "GET", "/caf\xc3\xa9\xff", "", 0, " prog id-1 GET /caf\xc3\xa9\\xff 200 0.0ms" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct request request = request_of(cases[i].method, cases[i].path, cases[i].more);
        catch_stderr();
        log_request(&request, 200, cases[i].took_us);
        assert_string_equal(caught_line(), cases[i].expected);
    }
}

static void escapes(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "plain ~ \\ text", "plain ~ \\ text" },
        { "\x01\x1f\x7f", "\\x01\\x1f\\x7f" },
        { "\xc2\x80\xc2\x9f", "\\xc2\\x80\\xc2\\x9f" }, /* C1: a terminal may obey them */
        { "\xc2\xa0", "\xc2\xa0" },
        { "\xf0\x9d\x84\x9e", "\xf0\x9d\x84\x9e" },
        { "\x80\xc0\xaf\xed\xa0\x80", "\\x80\\xc0\\xaf\\xed\\xa0\\x80" },
        { "cut \xe2\x82", "cut \\xe2\\x82" },
    };
    struct request request = request_of("GET", "/", "");

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char expected[64];
        catch_stderr();
        log_event("%s", cases[i].text);
        snprintf(expected, sizeof(expected), " prog %s", cases[i].expected);
        assert_string_equal(caught_line(), expected);

        catch_stderr();
        log_problem(&request, "%s", cases[i].text);
        snprintf(expected, sizeof(expected), " prog id-1 %s", cases[i].expected);
        assert_string_equal(caught_line(), expected);
    }
}

static void long_lines_are_cut(void **state)
{
    static char text[2 * LOG_LINE_MAX];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    catch_stderr();
    log_event("%s", text);
    const char *line = caught_line();
    assert_int_equal(TIME_LEN + strlen(line) + 1, LOG_LINE_MAX);
    assert_string_equal(line + strlen(line) - 5, "xx...");

    /* Of a long path as much as leaves room for the status behind it. */
    struct request request = request_of("GET", text, "more");
    catch_stderr();
    log_request(&request, 404, 0);
    line = caught_line();
    const char *end = "xxxx... 404 0.0ms more";
    assert_string_equal(line + strlen(line) - strlen(end), end);
}

static void characters_are_not_cut(void **state)
{
    static char text[2 * LOG_LINE_MAX];

    (void)state;
    for (size_t plain = 0; plain < 4; plain++) {
        memset(text, 'x', sizeof(text) - 1);
        for (size_t at = plain; at + 3 < sizeof(text); at += 3)
            memcpy(text + at, "\xe2\x82\xac", 3);
        catch_stderr();
        log_event("%s", text);
        const char *line = caught_line() + strlen(" prog ");
        size_t len = strlen(line) - strlen("...");
        assert_string_equal(line + len, "...");
        assert_memory_equal(line, text, len);
        assert_int_equal((len - plain) % 3, 0);
        assert_true(TIME_LEN + strlen(" prog ") + len + 3 + strlen("...") >= LOG_LINE_MAX - 1);
    }
}

static void times(void **state)
{
    (void)state;
    time_t before = time(NULL);
    catch_stderr();
    log_event("now");
    const char *text = caught_line() - TIME_LEN;
    struct tm parts = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    assert_non_null(rest);
    assert_int_equal(rest[0], '.');
    assert_int_equal(strspn(rest + 1, "0123456789"), 3);
    assert_int_equal(rest[4], 'Z');
    time_t said = timegm(&parts);
    assert_true(said >= before && said <= time(NULL));
}

static void *write_lines(void *argument)
{
    for (int i = 0; i < LINES; i++)
        log_event("%0*d", 200, *(int *)argument);
    return NULL;
}

static void lines_of_threads_never_mix(void **state)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], counts[THREADS] = { 0 };
    char line[LOG_LINE_MAX];

    (void)state;
    catch_stderr();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    release_stderr();
    while (fgets(line, sizeof(line), caught)) {
        assert_int_equal(strlen(line), TIME_LEN + strlen(" prog ") + 200 + 1);
        counts[atoi(line + TIME_LEN + strlen(" prog "))]++;
    }
    fclose(caught);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(counts[i], LINES);
}

static void clock_goes_forward(void **state)
{
    (void)state;
    long long last = log_clock_us();
    for (int i = 0; i < 1000; i++) {
        long long now = log_clock_us();
        assert_true(now >= last);
        last = now;
    }
}

/* --- lines that are written together --- */

static size_t caught_len(void)
{
    return (size_t)lseek(STDERR_FILENO, 0, SEEK_END);
}

static void collected_lines_are_written_together(void **state)
{
    (void)state;
    struct log_lines lines = { .len = 0 };
    char line[LOG_LINE_MAX + 2], expected[32];
    unsigned written = 0;

    catch_stderr();
    log_collect(&lines);
    log_event("line 0");
    assert_int_equal(caught_len(), 0);
    log_write_collected();
    size_t len = caught_len();
    assert_true(len > 0);
    for (written = 1; caught_len() == len; written++)
        log_event("line %u", written);
    assert_true(written > 20); /* one more had no room */
    log_collect(NULL);
    log_event("line %u", written++);
    release_stderr();

    for (unsigned i = 0; i < written; i++) {
        assert_non_null(fgets(line, sizeof line, caught));
        snprintf(expected, sizeof expected, " prog line %u\n", i);
        assert_string_equal(line + TIME_LEN, expected);
    }
    assert_int_equal(fgetc(caught), EOF);
    fclose(caught);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_lines),
        cmocka_unit_test(escapes),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(characters_are_not_cut),
        cmocka_unit_test(times),
        cmocka_unit_test(lines_of_threads_never_mix),
        cmocka_unit_test(clock_goes_forward),
        cmocka_unit_test(collected_lines_are_written_together),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
