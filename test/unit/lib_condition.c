/* lib_condition: If-Match and If-None-Match, with lists, weak tags, "*" and nonsense. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/condition.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void conditions(void **state)
{
    static const struct {
        const char *if_match, *if_none_match;
        enum condition of_read, of_write;
    } cases[] = {
        { NULL, NULL, CONDITION_HOLDS, CONDITION_HOLDS },
        { "\"1-7\"", NULL, CONDITION_HOLDS, CONDITION_HOLDS },
        { "\"1-8\"", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "*", NULL, CONDITION_HOLDS, CONDITION_HOLDS },
        { " * ", NULL, CONDITION_HOLDS, CONDITION_HOLDS },
        { "\"*\"", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "*\"1-7\"", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "\"1-6\", \"1-7\"", NULL, CONDITION_HOLDS, CONDITION_HOLDS },
        { "\"1-7\",\"1-6\"", NULL, CONDITION_HOLDS, CONDITION_HOLDS },
        { ",, \"a,b\" ,\t\"1-7\",", NULL, CONDITION_HOLDS, CONDITION_HOLDS },
        { "\"x,\"1-7\"", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "W/\"1-7\"", NULL, CONDITION_FAILED, CONDITION_FAILED }, /* If-Match is strong */
        { "W/\"1-7\", \"1-7\"", NULL, CONDITION_HOLDS, CONDITION_HOLDS },
        { "w/\"1-7\"", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "1-7", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "\"1-7", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "\"1-7\"x", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "\"", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "W/", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { "", NULL, CONDITION_FAILED, CONDITION_FAILED },
        { NULL, "\"1-7\"", CONDITION_NOT_MODIFIED, CONDITION_FAILED },
        { NULL, "W/\"1-7\"", CONDITION_NOT_MODIFIED, CONDITION_FAILED },
        { NULL, "\"0\", W/\"1-7\"", CONDITION_NOT_MODIFIED, CONDITION_FAILED },
        { NULL, "*", CONDITION_NOT_MODIFIED, CONDITION_FAILED },
        { NULL, "\"1-8\"", CONDITION_HOLDS, CONDITION_HOLDS },
        { NULL, "1-7", CONDITION_HOLDS, CONDITION_HOLDS },
        { NULL, "", CONDITION_HOLDS, CONDITION_HOLDS },
        { "\"1-8\"", "\"1-7\"", CONDITION_FAILED, CONDITION_FAILED }, /* If-Match goes first */
        { "\"1-7\"", "\"1-7\"", CONDITION_NOT_MODIFIED, CONDITION_FAILED },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str etag = STR("\"1-7\"");
        enum condition of_read =
            condition_check(cases[i].if_match, cases[i].if_none_match, etag, true);
        enum condition of_write =
            condition_check(cases[i].if_match, cases[i].if_none_match, etag, false);
        if (of_read != cases[i].of_read || of_write != cases[i].of_write)
            fail_msg("If-Match: %s, If-None-Match: %s: %d %d", cases[i].if_match,
                cases[i].if_none_match, (int)of_read, (int)of_write);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(conditions) };

    return cmocka_run_group_tests_name("lib/condition", tests, NULL, NULL);
}
