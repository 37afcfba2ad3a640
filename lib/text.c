/* text: UTF-8 (RFC 3629) and letter case.
 *
 * Letter case is asked of the C library's own table, of a locale that belongs to this file: the
 * program's locale is that of whoever started it, and must not change what a service answers.
 */
#include "text.h"
#include <ctype.h>
#include <locale.h>
#include <pthread.h>
#include <stdint.h>
#include <wctype.h>

size_t text_char(struct str text, unsigned *code_point)
{
    const unsigned char *at = (const unsigned char *)text.at;
    unsigned c = at[0];
    size_t len;

    if (c < 0x80) {
        *code_point = c;
        return 1;
    }
    /* 0xC0 and 0xC1 would start overlong forms, 0xF5 and above lie beyond U+10FFFF. */
    if (c < 0xC2 || c > 0xF4) {
        return 0;
    }
    len = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (text.len < len) {
        return 0;
    }
    c &= 0x7Fu >> len;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
        c = c << 6 | (at[i] & 0x3F);
    }
    if ((len == 3 && c < 0x800) || (len == 4 && c < 0x10000) || (c >= 0xD800 && c <= 0xDFFF) ||
        c > 0x10FFFF) {
        return 0;
    }
    *code_point = c;
    return len;
}

/* How many bytes at the start are ASCII, or somewhat less: whole words of eight. */
static size_t ascii_words(struct str text)
{
    size_t at = 0;
    uint64_t word;

    while (text.len - at >= sizeof word) {
        memcpy(&word, text.at + at, sizeof word);
        if (word & 0x8080808080808080u) {
            break;
        }
        at += sizeof word;
    }
    return at;
}

bool text_is_utf8(struct str text)
{
    size_t at = ascii_words(text);
    unsigned code_point;

    while (at < text.len) {
        size_t len = text_char((struct str){ text.at + at, text.len - at }, &code_point);

        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

size_t text_put(char *out, unsigned code_point)
{
    size_t len = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;

    if (len == 1) {
        *out = (char)code_point;
        return len;
    }
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (char)(0xF00u >> len | code_point); /* as many leading ones as bytes */
    return len;
}

bool text_has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (iscntrl((unsigned char)text.at[i])) {
            return true;
        }
    }
    return false;
}

int text_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The one static of this file: made once, never changed, and the same for every thread. */
static locale_t letters;
static pthread_once_t letters_once = PTHREAD_ONCE_INIT;

static void make_letters(void)
{
    letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (letters == (locale_t)0) {
        letters = newlocale(LC_CTYPE_MASK, "C", (locale_t)0); /* only ASCII letters have a case */
    }
}

static locale_t letters_get(void)
{
    pthread_once(&letters_once, make_letters);
    return letters;
}

static unsigned upper(unsigned c)
{
    if (c < 0x80) {
        return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
    }
    return (unsigned)towupper_l((wint_t)c, letters_get());
}

/* By way of the upper case, as some letters have two lower forms: both Greek sigmas become one. */
static unsigned lower(unsigned c)
{
    if (c < 0x80) {
        return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
    }
    return (unsigned)towlower_l(towupper_l((wint_t)c, letters_get()), letters_get());
}

static void add_char(struct buf *out, unsigned c)
{
    char bytes[4];

    buf_add(out, bytes, text_put(bytes, c));
}

/* Takes one character off the front of `text`. A byte that is not UTF-8 goes to `out` as it is,
 * and false is returned. */
static bool take_char(struct str *text, struct buf *out, unsigned *c)
{
    size_t len = text_char(*text, c);
    bool valid = len > 0;

    if (!valid) {
        len = 1;
        buf_add(out, text->at, len);
    }
    text->at += len;
    text->len -= len;
    return valid;
}

void text_fold(struct buf *out, struct str text)
{
    unsigned c;

    while (text.len > 0) {
        if (take_char(&text, out, &c)) {
            add_char(out, lower(c));
        }
    }
}

static bool is_space(unsigned c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x80 && iswspace_l(c, letters_get()));
}

static bool is_letter_or_digit(unsigned c)
{
    if (c >= 0x80) {
        return iswalnum_l(c, letters_get());
    }
    return (c >= '0' && c <= '9') || (upper(c) >= 'A' && upper(c) <= 'Z');
}

void text_title(struct buf *out, struct str text)
{
    bool in_word = false; /* a letter or digit of this word has been seen */
    unsigned c;

    while (text.len > 0) {
        if (!take_char(&text, out, &c)) {
            continue;
        }
        add_char(out, in_word ? lower(c) : upper(c));
        if (is_space(c)) {
            in_word = false;
        } else if (is_letter_or_digit(c)) {
            in_word = true;
        }
    }
}
