/* lib_decimal: JSON numbers as whole units, to the last digit. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/decimal.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void numbers(void **state)
{
    static const struct {
        const char *number;
        int places;
        enum decimal_result result;
        int64_t value;
    } cases[] = {
        { "0", 2, DECIMAL_OK, 0 },
        { "-0", 2, DECIMAL_OK, 0 },
        { "0.0", 0, DECIMAL_OK, 0 },
        { "0e999999999999999999999", 2, DECIMAL_OK, 0 },
        { "0.000e-999999999999999999999", 0, DECIMAL_OK, 0 },
        { "1", 0, DECIMAL_OK, 1 },
        { "1", 2, DECIMAL_OK, 100 },
        { "12.5", 2, DECIMAL_OK, 1250 },
        { "12.50", 2, DECIMAL_OK, 1250 },
        { "12.5000000000000000000000000000", 2, DECIMAL_OK, 1250 },
        { "1250e-2", 2, DECIMAL_OK, 1250 },
        { "0.0125E+3", 2, DECIMAL_OK, 1250 },
        { "-12.5", 2, DECIMAL_OK, -1250 },
        { "0.1", 2, DECIMAL_OK, 10 },
        { "0.29", 2, DECIMAL_OK, 29 }, /* times 100 as a double: 28.999999999999996 */
        { "1.005", 2, DECIMAL_TOO_FINE, 0 },
        { "0.001", 2, DECIMAL_TOO_FINE, 0 },
        { "1e-3", 2, DECIMAL_TOO_FINE, 0 },
        { "1e-999999999999999999999", 2, DECIMAL_TOO_FINE, 0 },
        { "12.505", 2, DECIMAL_TOO_FINE, 0 },
        { "1.5", 0, DECIMAL_TOO_FINE, 0 },
        { "2.0", 0, DECIMAL_OK, 2 },
        { "20e-1", 0, DECIMAL_OK, 2 },
        { "2e0", 0, DECIMAL_OK, 2 },
        { "1000000e-6", 0, DECIMAL_OK, 1 },
        { "90071992547409.93", 2, DECIMAL_OK, 9007199254740993 }, /* no double has this value */
        { "9223372036854775807", 0, DECIMAL_OK, INT64_MAX },
        { "-9223372036854775808", 0, DECIMAL_OK, INT64_MIN },
        { "9223372036854775808", 0, DECIMAL_TOO_LARGE, 0 },
        { "-9223372036854775809", 0, DECIMAL_TOO_LARGE, 0 },
        { "92233720368547758.08", 2, DECIMAL_TOO_LARGE, 0 },
        { "1e19", 0, DECIMAL_TOO_LARGE, 0 },
        { "1e18", 0, DECIMAL_OK, 1000000000000000000 },
        { "1e999999999999999999999", 2, DECIMAL_TOO_LARGE, 0 },
        { "99999999999999999999999999999999999999", 0, DECIMAL_TOO_LARGE, 0 },
        { "0.00000000000000000000000000000000000001e38", 0, DECIMAL_OK, 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t value;
        enum decimal_result result = decimal_read(str_of(cases[i].number), cases[i].places, &value);
        if (result != cases[i].result || (result == DECIMAL_OK && value != cases[i].value))
            fail_msg("%s: %d %lld", cases[i].number, (int)result, (long long)value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(numbers) };

    return cmocka_run_group_tests_name("lib/decimal", tests, NULL, NULL);
}
