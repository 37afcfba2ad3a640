/* gateway_framing: where a reply's body ends, however its bytes are cut into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/framing.h"
#include "fcgi-gateway/head.h"
#include "lib/buf.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define DIGITS_15 "123456789012345"

static struct arena arena;

/* A call that has got this status and these fields. */
static struct call call_with(const char *method, int status, const char *fields)
{
    struct call call = { .method = method, .status = status, .arena = &arena };
    for (struct str rest = str_of(fields); rest.len > 0;) {
        struct str line = str_take(&rest, '\n');
        line.len++;
        assert_int_equal(head_line(&call, line), HEAD_MORE);
    }
    return call;
}

/* --- how it begins --- */

struct begin_check {
    const char *method;
    int status;
    const char *fields;
    bool is_good;
    enum framing_kind kind;
    uint64_t left;
};

static void beginnings(void **state)
{
    static const struct begin_check checks[] = {
        { "GET", 200, "", true, FRAMING_CLOSE, 0 },
        { "POST", 500, "X: y\r\n", true, FRAMING_CLOSE, 0 },
        { "GET", 200, "Content-Length: 0\r\n", true, FRAMING_LENGTH, 0 },
        { "GET", 200, "content-length: 42\r\n", true, FRAMING_LENGTH, 42 },
        { "GET", 200, "Content-Length: 007\r\n", true, FRAMING_LENGTH, 7 },
        { "GET", 200, "Content-Length: 123" DIGITS_15 "\r\n", true, FRAMING_LENGTH,
            123123456789012345 },
        { "GET", 200, "Content-Length: 9999" DIGITS_15 "\r\n", false, FRAMING_LENGTH, 0 },
        { "GET", 200, "Content-Length:\r\n", false, FRAMING_LENGTH, 0 },
        { "GET", 200, "Content-Length: +1\r\n", false, FRAMING_LENGTH, 0 },
        { "GET", 200, "Content-Length: -1\r\n", false, FRAMING_LENGTH, 0 },
        { "GET", 200, "Content-Length: 0x1\r\n", false, FRAMING_LENGTH, 0 },
        { "GET", 200, "Content-Length: 1 1\r\n", false, FRAMING_LENGTH, 0 },
        { "GET", 200, "Content-Length: 1, 1\r\n", false, FRAMING_LENGTH, 0 },
        { "GET", 200, CHUNKED, true, FRAMING_CHUNKED, 0 },
        { "GET", 200, "transfer-encoding:\tCHUNKED \r\n", true, FRAMING_CHUNKED, 0 },
        { "GET", 200, CHUNKED "Content-Length: 3\r\n", true, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Content-Length: 3\r\n" CHUNKED, true, FRAMING_CHUNKED, 0 },
        { "GET", 200, CHUNKED CHUNKED, false, FRAMING_CHUNKED, 0 },
        { "GET", 200, CHUNKED "Transfer-Encoding: identity\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding: gzip, chunked\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding: chunked, chunked\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding: chunked,\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding: chunked;q=1\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding: \"chunked\"\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding: xchunked\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding: \vchunked\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding: identity\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding:\r\n", false, FRAMING_CHUNKED, 0 },
        { "GET", 200, "Transfer-Encoding:\r\nContent-Length: 3\r\n", false, FRAMING_CHUNKED, 0 },
        { "HEAD", 200, "Content-Length: 42\r\n", true, FRAMING_NO_BODY, 0 },
        { "HEAD", 200, CHUNKED, true, FRAMING_NO_BODY, 0 },
        { "HEAD", 404, "", true, FRAMING_NO_BODY, 0 },
        { "head", 200, "Content-Length: 42\r\n", true, FRAMING_LENGTH, 42 },
        { "GET", 204, "", true, FRAMING_NO_BODY, 0 },
        { "GET", 204, "Content-Length: 42\r\n", true, FRAMING_NO_BODY, 0 },
        { "GET", 204, CHUNKED, true, FRAMING_NO_BODY, 0 },
        { "GET", 205, "Content-Length: 0\r\n", true, FRAMING_LENGTH, 0 },
        { "GET", 304, "Content-Length: 42\r\n", true, FRAMING_NO_BODY, 0 },
        { "GET", 304, CHUNKED, true, FRAMING_NO_BODY, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        struct call call = call_with(checks[i].method, checks[i].status, checks[i].fields);
        struct framing framing;
        bool is_good = framing_begin(&framing, &call);
        if (is_good != checks[i].is_good ||
            (is_good && (framing.kind != checks[i].kind || framing.left != checks[i].left)))
            fail_msg("%s %d %s: %d, kind %d, left %llu", checks[i].method, checks[i].status,
                checks[i].fields, is_good, framing.kind, (unsigned long long)framing.left);
    }
}

/* --- what is content --- */

struct body_result {
    enum framing_step step;
    struct buf content;
    size_t used;
};

/* Up to an end or a mistake; what is behind it is not used. */
static void feed(struct framing *framing, struct str bytes, struct body_result *result)
{
    const char *start = bytes.at;
    struct str piece;
    while ((result->step = framing_take(framing, &bytes, &piece)) == FRAMING_PIECE) {
        assert_true(piece.len > 0);
        buf_str(&result->content, piece);
    }
    if (result->step == FRAMING_MORE)
        assert_int_equal(bytes.len, 0);
    result->used += (size_t)(bytes.at - start);
}

/* The first piece has `first` bytes, the others `size`. */
static struct body_result feed_in_pieces(
    const char *fields, struct str bytes, size_t first, size_t size)
{
    struct call call = call_with("GET", 200, fields);
    struct body_result result = { .step = FRAMING_MORE };
    struct framing framing;
    buf_init(&result.content, &arena);
    assert_true(framing_begin(&framing, &call));
    for (size_t len = first; result.step == FRAMING_MORE; len = size) {
        len = len < bytes.len ? len : bytes.len;
        feed(&framing, (struct str){ bytes.at, len }, &result);
        bytes.at += len;
        bytes.len -= len;
        if (bytes.len == 0)
            break;
    }
    return result;
}

struct body_check {
    const char *fields, *bytes, *content;
    enum framing_step step;
    size_t behind; /* bytes that are no part of the reply */
};

static void is_as_expected(const struct body_check *check, size_t first, size_t size)
{
    struct str bytes = str_of(check->bytes);
    struct body_result result = feed_in_pieces(check->fields, bytes, first, size);
    bool is_used = check->step == FRAMING_BAD || result.used == bytes.len - check->behind;
    if (result.step != check->step || !is_used ||
        !str_is(buf_as_str(&result.content), check->content))
        fail_msg("'%s' in pieces of %zu and %zu: step %d, %zu bytes used, content '%s'",
            check->bytes, first, size, result.step, result.used, buf_as_text(&result.content));
}

/* Whole, in two at every place, and in small pieces. */
static void bodies_are(const struct body_check *checks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(checks[i].bytes);
        for (size_t first = 0; first <= len; first++)
            is_as_expected(&checks[i], first, len + 1);
        for (size_t size = 1; size <= 3; size++)
            is_as_expected(&checks[i], size, size);
    }
}

static void bodies_with_a_length(void **state)
{
    static const struct body_check checks[] = {
        { "Content-Length: 0\r\n", "", "", FRAMING_END, 0 },
        { "Content-Length: 0\r\n", "abc", "", FRAMING_END, 3 },
        { "Content-Length: 3\r\n", "abc", "abc", FRAMING_END, 0 },
        { "Content-Length: 3\r\n", "abcHTTP/1.1 200", "abc", FRAMING_END, 12 },
        { "Content-Length: 3\r\n", "ab", "ab", FRAMING_MORE, 0 },
        { "Content-Length: 3\r\n", "", "", FRAMING_MORE, 0 },
        { "X: y\r\n", "", "", FRAMING_MORE, 0 },
        { "X: y\r\n", "abc", "abc", FRAMING_MORE, 0 },
    };
    (void)state;
    bodies_are(checks, COUNT(checks));
}

static void bodies_in_chunks(void **state)
{
    static const struct body_check checks[] = {
        { CHUNKED, "", "", FRAMING_MORE, 0 },
        { CHUNKED, "0\r\n\r\n", "", FRAMING_END, 0 },
        { CHUNKED, "000\r\n\r\n", "", FRAMING_END, 0 },
        { CHUNKED, "1\r\na\r\n0\r\n\r\n", "a", FRAMING_END, 0 },
        { CHUNKED, "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc", FRAMING_END, 0 },
        { CHUNKED, "00A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789",
            FRAMING_END, 0 },
        { CHUNKED, "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", FRAMING_END, 0 },
        { CHUNKED, "0\r\n\r\nHTTP/1.1 200 OK\r\n", "", FRAMING_END, 17 },
        { CHUNKED, "0\r\n\r\n\r\n", "", FRAMING_END, 2 },
        /* Extensions mean nothing to us. */
        { CHUNKED, "1;a\r\nx\r\n0;b=c\r\n\r\n", "x", FRAMING_END, 0 },
        { CHUNKED, "1 ; a=\"b c\"\r\nx\r\n0\t;\r\n\r\n", "x", FRAMING_END, 0 },
        { CHUNKED, "1;;\r\nx\r\n0\r\n\r\n", "x", FRAMING_END, 0 },
        /* Blanks behind the size are written by some (RFC 9112 section 7.1.1: before a ';'). */
        { CHUNKED, "1  \r\nx\r\n0\t\r\n\r\n", "x", FRAMING_END, 0 },
        /* Neither do trailers. */
        { CHUNKED, "0\r\nA: b\r\n\r\n", "", FRAMING_END, 0 },
        { CHUNKED, "0\r\nContent-Length: 5\r\nB: c\r\n\r\nabcde", "", FRAMING_END, 5 },
        /* It goes on. */
        { CHUNKED, "1\r\na\r\n", "a", FRAMING_MORE, 0 },
        { CHUNKED, "1\r\na\r\n0", "a", FRAMING_MORE, 0 },
        { CHUNKED, "1\r\na\r\n0\r\n", "a", FRAMING_MORE, 0 },
        { CHUNKED, "0\r\nA: b\r\n", "", FRAMING_MORE, 0 },
        { CHUNKED, "0\r\nA: b\r\n\r", "", FRAMING_MORE, 0 },
    };
    (void)state;
    bodies_are(checks, COUNT(checks));
}

static void bad_chunks(void **state)
{
    static const struct body_check checks[] = {
        { CHUNKED, "\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "\n", "", FRAMING_BAD, 0 },
        { CHUNKED, ";a\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, " 1\r\na\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "g\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "-1\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "+1\r\na\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "0x1\r\na\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "1_0\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "1,1\r\n", "", FRAMING_BAD, 0 },
        /* Another size behind the size: which of them is meant? */
        { CHUNKED, "1 0\r\na\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "1 a\r\nx\r\n", "", FRAMING_BAD, 0 },
        /* 15 digits fit for certain, and nobody sends leading zeros by the dozen. */
        { CHUNKED, "000000000000001\r\na\r\n", "a", FRAMING_MORE, 0 },
        { CHUNKED, "0000000000000001\r\na\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "10000000000000001\r\na", "", FRAMING_BAD, 0 },
        /* Line ends are CR LF, of all lines and behind the content. */
        { CHUNKED, "1\na\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "1\r\ra\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "1\rx\na\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "1;a\na\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "1;a\rb\r\nx\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "1;a=\"\n\"\r\nx\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "1\r\na\n", "a", FRAMING_BAD, 0 },
        { CHUNKED, "1\r\nab\r\n", "a", FRAMING_BAD, 0 },
        { CHUNKED, "1\r\na\r0\r\n\r\n", "a", FRAMING_BAD, 0 },
        { CHUNKED, "1\r\na0\r\n\r\n", "a", FRAMING_BAD, 0 },
        { CHUNKED, "0\n\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "0\r\n\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "0\r\n\r\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "0\r\nA: b\n\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "0\r\nA: b\r\n\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "0\r\nA: b\rc\r\n\r\n", "", FRAMING_BAD, 0 },
        { CHUNKED, "0\r\nA: b\r\r\n\r\n", "", FRAMING_BAD, 0 },
    };
    (void)state;
    bodies_are(checks, COUNT(checks));
}

static void a_nul_is_no_size(void **state)
{
    (void)state;
    struct body_result result = feed_in_pieces(CHUNKED, (struct str){ "1\0\r\na\r\n", 7 }, 7, 7);
    assert_int_equal(result.step, FRAMING_BAD);
}

/* `before`, then so many letters, then `behind`. */
static enum framing_step with_padding(const char *before, size_t count, const char *behind)
{
    struct buf bytes;
    buf_init(&bytes, &arena);
    buf_text(&bytes, before);
    memset(buf_room(&bytes, count), 'x', count);
    bytes.len += count;
    buf_text(&bytes, behind);
    enum framing_step whole = feed_in_pieces(CHUNKED, buf_as_str(&bytes), bytes.len, 1).step;
    assert_int_equal(feed_in_pieces(CHUNKED, buf_as_str(&bytes), 1, 1).step, whole);
    return whole;
}

static void what_nobody_reads_has_an_end(void **state)
{
    enum { MUCH = FRAMING_IGNORED_MAX - 16, TOO_MUCH = FRAMING_IGNORED_MAX + 1 };
    (void)state;
    assert_int_equal(with_padding("1;", MUCH, "\r\na\r\n0\r\n\r\n"), FRAMING_END);
    assert_int_equal(with_padding("1;", TOO_MUCH, ""), FRAMING_BAD);
    assert_int_equal(with_padding("1;a\r\na\r\n0;", MUCH, "\r\n\r\n"), FRAMING_END);
    assert_int_equal(with_padding("1 ", TOO_MUCH, ""), FRAMING_BAD);
    assert_int_equal(with_padding("0\r\nA: ", MUCH, "\r\n\r\n"), FRAMING_END);
    assert_int_equal(with_padding("0\r\nA: ", TOO_MUCH, ""), FRAMING_BAD);
    assert_int_equal(with_padding("0\r\nA: b\r\nB: c\r\nC: d\r\nD: ", MUCH, ""), FRAMING_BAD);
}

static void no_body_takes_no_byte(void **state)
{
    struct call call = call_with("GET", 304, "Content-Length: 3\r\n");
    struct str bytes = STR("abc"), piece;
    struct framing framing;
    (void)state;
    assert_true(framing_begin(&framing, &call));
    assert_int_equal(framing_take(&framing, &bytes, &piece), FRAMING_END);
    assert_int_equal(bytes.len, 3);
}

static void only_one_kind_ends_with_the_connection(void **state)
{
    static const struct {
        const char *fields;
        bool is_ended;
    } checks[] = {
        { "", true },
        { "Content-Length: 0\r\n", false },
        { "Content-Length: 3\r\n", false },
        { CHUNKED, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        struct call call = call_with("GET", 200, checks[i].fields);
        struct framing framing;
        assert_true(framing_begin(&framing, &call));
        assert_int_equal(framing_is_ended_by_close(&framing), checks[i].is_ended);
    }
}

static int end(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(beginnings),
        cmocka_unit_test(bodies_with_a_length),
        cmocka_unit_test(bodies_in_chunks),
        cmocka_unit_test(bad_chunks),
        cmocka_unit_test(a_nul_is_no_size),
        cmocka_unit_test(what_nobody_reads_has_an_end),
        cmocka_unit_test(no_body_takes_no_byte),
        cmocka_unit_test(only_one_kind_ends_with_the_connection),
    };
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, end);
}
