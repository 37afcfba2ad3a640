/* gateway_text_map: every text finds its own value, also when there are many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/text_map.h"

#define MANY 5000

static struct str key_of(struct arena *arena, int number)
{
    char text[16];
    int len = snprintf(text, sizeof text, "/%d", number);
    return (struct str){ arena_copy(arena, text, (size_t)len), (size_t)len };
}

static void what_is_put_in_is_found(void **state)
{
    static int values[MANY];
    struct arena arena;
    struct text_map map;
    (void)state;
    arena_init(&arena);
    text_map_init(&map, &arena);
    for (int i = 0; i < MANY; i++) {
        assert_false(text_map_has(&map, key_of(&arena, i)));
        void **value = text_map_at(&map, key_of(&arena, i));
        assert_null(*value);
        *value = &values[i];
    }
    for (int i = 0; i < MANY; i++) {
        assert_true(text_map_has(&map, key_of(&arena, i)));
        assert_ptr_equal(*text_map_at(&map, key_of(&arena, i)), &values[i]);
    }
    assert_false(text_map_has(&map, key_of(&arena, MANY)));
    arena_clear(&arena);
}

static void an_empty_text_and_a_nul_are_keys_as_well(void **state)
{
    static int a, b, c;
    struct arena arena;
    struct text_map map;
    (void)state;
    arena_init(&arena);
    text_map_init(&map, &arena);
    *text_map_at(&map, (struct str){ NULL, 0 }) = &a;
    *text_map_at(&map, (struct str){ "x\0y", 3 }) = &b;
    *text_map_at(&map, STR("x")) = &c;
    assert_ptr_equal(*text_map_at(&map, STR("")), &a);
    assert_ptr_equal(*text_map_at(&map, (struct str){ "x\0y", 3 }), &b);
    assert_ptr_equal(*text_map_at(&map, STR("x")), &c);
    arena_clear(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_in_is_found),
        cmocka_unit_test(an_empty_text_and_a_nul_are_keys_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
