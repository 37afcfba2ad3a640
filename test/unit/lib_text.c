/* lib_text: what is UTF-8 and what is not, and letter case. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <cmocka.h>
#include "lib/text.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    setlocale(LC_ALL, "C"); /* letter case must not depend on it */
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static void characters(void **state)
{
    static const struct {
        struct str text;
        size_t len; /* 0: not UTF-8 */
        unsigned code_point;
    } cases[] = {
        { { "a", 1 }, 1, 'a' },
        { { "\0", 1 }, 1, 0 },
        { { "\x7f", 1 }, 1, 0x7F },
        { { "\xc2\x80", 2 }, 2, 0x80 },
        { { "\xdf\xbf", 2 }, 2, 0x7FF },
        { { "\xe0\xa0\x80", 3 }, 3, 0x800 },
        { { "\xed\x9f\xbf", 3 }, 3, 0xD7FF },
        { { "\xee\x80\x80", 3 }, 3, 0xE000 },
        { { "\xef\xbf\xbf", 3 }, 3, 0xFFFF },
        { { "\xf0\x90\x80\x80", 4 }, 4, 0x10000 },
        { { "\xf4\x8f\xbf\xbf", 4 }, 4, 0x10FFFF },
        { { "\xc3\xa9zz", 4 }, 2, 0xE9 },
        { { "\x80", 1 }, 0, 0 },                 /* a continuation alone */
        { { "\xbf", 1 }, 0, 0 },                 /* the same */
        { { "\xc2", 1 }, 0, 0 },                 /* cut off */
        { { "\xe2\x98\x95", 2 }, 0, 0 },         /* cut off */
        { { "\xf0\x90\x80", 3 }, 0, 0 },         /* cut off */
        { { "\xc2\x41", 2 }, 0, 0 },             /* no continuation */
        { { "\xe2\x98\x41", 3 }, 0, 0 },         /* no continuation */
        { { "\xe2\x98\xc0", 3 }, 0, 0 },         /* no continuation */
        { { "\xc0\x80", 2 }, 0, 0 },             /* overlong NUL */
        { { "\xc1\xbf", 2 }, 0, 0 },             /* overlong */
        { { "\xe0\x9f\xbf", 3 }, 0, 0 },         /* overlong */
        { { "\xf0\x8f\xbf\xbf", 4 }, 0, 0 },     /* overlong */
        { { "\xed\xa0\x80", 3 }, 0, 0 },         /* surrogate */
        { { "\xed\xbf\xbf", 3 }, 0, 0 },         /* surrogate */
        { { "\xf4\x90\x80\x80", 4 }, 0, 0 },     /* U+110000 */
        { { "\xf5\x80\x80\x80", 4 }, 0, 0 },     /* beyond */
        { { "\xf8\x88\x80\x80\x80", 5 }, 0, 0 }, /* five bytes */
        { { "\xff", 1 }, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned code_point = 0;

        assert_int_equal(text_char(cases[i].text, &code_point), cases[i].len);
        assert_int_equal(code_point, cases[i].code_point);
    }
}

static void every_code_point_survives_writing_and_reading(void **state)
{
    (void)state;
    for (unsigned c = 0; c <= 0x10FFFF; c++) {
        char bytes[4];
        unsigned back = 0;
        size_t len = text_put(bytes, c);

        if (c >= 0xD800 && c <= 0xDFFF) {
            continue;
        }
        if (text_char((struct str){ bytes, len }, &back) != len || back != c) {
            fail_msg("U+%04X came back as U+%04X", c, back);
        }
    }
}

/* Around words of eight bytes, which are looked at together. */
static void a_bad_byte_is_found_anywhere(void **state)
{
    char text[40];

    (void)state;
    for (size_t len = 0; len <= sizeof text; len++) {
        memset(text, 'x', sizeof text);
        assert_true(text_is_utf8((struct str){ text, len }));
        for (size_t at = 0; at < len; at++) {
            text[at] = '\x80';
            assert_false(text_is_utf8((struct str){ text, len }));
            text[at] = 'x';
        }
    }
    assert_true(text_is_utf8((struct str){ NULL, 0 }));
    assert_true(text_is_utf8(STR("Vinícius de Andrade ☕ 𝄞")));
}

static void hex_digits(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    (void)state;
    for (int c = -128; c < 128; c++) {
        const char *found = c ? strchr(digits, c) : NULL;
        int expected = found ? (int)(found - digits) : -1;

        assert_int_equal(text_hex((char)c), expected > 15 ? expected - 6 : expected);
    }
}

struct letter_case {
    const char *text, *expected;
};

static void check(void (*add)(struct buf *, struct str), const struct letter_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf buf;

        buf_init(&buf, &arena);
        add(&buf, str_of(cases[i].text));
        assert_string_equal(buf_as_text(&buf), cases[i].expected);
    }
}

static void folding(void **state)
{
    static const struct letter_case cases[] = {
        { "", "" },
        { "Bebida QUENTE", "bebida quente" },
        { "@AZ[`az{09", "@az[`az{09" },
        { "ÁGUA Com GÁS", "água com gás" },
        { "ÑÇÕ", "ñçõ" },
        { "ΟΔΥΣΣΕΥΣ", "οδυσσευσ" },
        { "Οδυσσευς", "οδυσσευσ" },
        { "ЧАЙ", "чай" },
        { "コーヒー ☕", "コーヒー ☕" },
        { "𐐀", "𐐨" },
        { "A\xff"
          "B",
            "a\xff"
            "b" },
    };

    (void)state;
    check(text_fold, cases, COUNT(cases));
}

static void title_case(void **state)
{
    static const struct letter_case cases[] = {
        { "", "" },
        { "bebida quente", "Bebida Quente" },
        { "BEBIDA QUENTE", "Bebida Quente" },
        { "  doce\tde  leite ", "  Doce\tDe  Leite " },
        { "água de coco", "Água De Coco" },
        { "pão-de-queijo", "Pão-de-queijo" },
        { "copo d'água", "Copo D'água" },
        { "2nd cup", "2nd Cup" },
        { "(quente)", "(Quente)" },
        { "чёрный чай", "Чёрный Чай" },
        { "em\u2003quad", "Em\u2003Quad" },
        { "\xff"
          "a",
            "\xff"
            "A" },
    };

    (void)state;
    check(text_title, cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters),
        cmocka_unit_test(every_code_point_survives_writing_and_reading),
        cmocka_unit_test(a_bad_byte_is_found_anywhere),
        cmocka_unit_test(hex_digits),
        cmocka_unit_test(folding),
        cmocka_unit_test(title_case),
    };

    return cmocka_run_group_tests_name("lib/text", tests, setup, teardown);
}
