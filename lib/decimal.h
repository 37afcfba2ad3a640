/* decimal: a JSON number as a whole number of units, exactly, from its digits.
 *
 * Money must not go through a double: 0.1 has none, and 1e15 + 0.01 has none either. */
#ifndef LIB_DECIMAL_H
#define LIB_DECIMAL_H

#include <stdint.h>
#include "str.h"

enum decimal_result {
    DECIMAL_OK,
    DECIMAL_TOO_FINE,  /* it has more decimals than `places`, and they are not zeros */
    DECIMAL_TOO_LARGE, /* it does not fit into an int64_t */
};

/* `number` is a JSON number (RFC 8259 section 6), *value how many units of 10^-places it is: 12.5
 * with 2 places is 1250, and so are 12.500 and 1250e-2. */
enum decimal_result decimal_read(struct str number, int places, int64_t *value);

#endif
