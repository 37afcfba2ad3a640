/* decimal: a JSON number as a whole number of units, exactly, from its digits.
 *
 * The number is digits and a power of ten. Zeros at both ends of the digits are taken off first, so
 * that what is left decides by its mere length: 1000000e-6 is 1, 0e999999999 is 0. */
#include "decimal.h"
#include <stdbool.h>

/* Exponents are cut off here: far beyond any that can matter, and sums of some stay an int64_t. */
#define EXPONENT_MAX ((int64_t)1 << 40)

/* An int64_t has at most so many digits. */
#define DIGITS_MAX 19

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number behind 'e', with its sign. */
static int64_t read_exponent(struct str text)
{
    bool is_negative = text.len > 0 && text.at[0] == '-';
    int64_t exponent = 0;
    for (size_t i = 0; i < text.len; i++)
        if (is_digit(text.at[i]) && exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (text.at[i] - '0');
    return is_negative ? -exponent : exponent;
}

/* What stands before 'e': up to which byte the digits matter (those behind are zeros), and how many
 * places behind the point the last of them stands; negative before it. */
static size_t find_last_digit(struct str digits, int64_t *places)
{
    size_t point = digits.len, last = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.at[i] == '.')
            point = i;
        else if (digits.at[i] != '0' && is_digit(digits.at[i]))
            last = i + 1;
    }
    *places = last > point ? (int64_t)(last - 1 - point) : -(int64_t)(point - last);
    return last;
}

/* Adds one digit behind those of *value; false where that does not fit. Negative numbers are
 * gathered as such: the smallest has no positive counterpart. */
static bool add_digit(int64_t *value, int digit, bool is_negative)
{
    return !__builtin_mul_overflow(*value, 10, value) &&
           !__builtin_add_overflow(*value, is_negative ? -digit : digit, value);
}

enum decimal_result decimal_read(struct str number, int places, int64_t *value)
{
    struct str rest = number;
    bool is_negative = number.at[0] == '-';
    size_t before_e = 0;
    int64_t last_place;
    while (before_e < number.len && number.at[before_e] != 'e' && number.at[before_e] != 'E')
        before_e++;
    struct str digits = { number.at, before_e };
    rest.at += before_e;
    rest.len -= before_e;
    if (rest.len > 0) { /* the 'e' itself */
        rest.at++;
        rest.len--;
    }

    *value = 0;
    size_t last = find_last_digit(digits, &last_place);
    if (last == 0)
        return DECIMAL_OK;
    int64_t zeros = places + read_exponent(rest) - last_place;
    if (zeros < 0)
        return DECIMAL_TOO_FINE;
    if (zeros > DIGITS_MAX)
        return DECIMAL_TOO_LARGE;
    for (size_t i = 0; i < last; i++)
        if (is_digit(digits.at[i]) && !add_digit(value, digits.at[i] - '0', is_negative))
            return DECIMAL_TOO_LARGE;
    while (zeros-- > 0)
        if (!add_digit(value, 0, is_negative))
            return DECIMAL_TOO_LARGE;
    return DECIMAL_OK;
}
