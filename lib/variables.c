/* variables: the CGI variables of a request (RFC 3875). */
#include "variables.h"

#include <stdbool.h>
#include "str.h"

/* What follows `prefix` in `text`, or NULL where that begins otherwise. No strncmp: most variables
 * differ in their first byte, and every request looks for a dozen names among some thirty. */
static inline const char *behind(const char *text, const char *prefix)
{
    for (; *prefix; prefix++, text++) {
        if (*text != *prefix)
            return NULL;
    }
    return text;
}

const char *variables_find(char **variables, const char *name)
{
    for (char **variable = variables; *variable; variable++) {
        const char *rest = behind(*variable, name);
        if (rest && *rest == '=')
            return rest + 1;
    }
    return NULL;
}

/* A header field's name as CGI writes it: upper case, '-' as '_' (RFC 3875 section 4.1.18). Returns
 * the value of a variable that has this name, else NULL. */
static inline const char *value_of(const char *variable, const char *field)
{
    for (; *field; field++, variable++) {
        char c = *field;
        if (c >= 'a' && c <= 'z')
            c -= 'a' - 'A';
        else if (c == '-')
            c = '_';
        if (*variable != c)
            return NULL;
    }
    return *variable == '=' ? variable + 1 : NULL;
}

const char *variables_header(char **variables, const char *name)
{
    /* The two fields that CGI has own variables for have no HTTP_ in front. */
    struct str field = str_of(name);
    bool is_own = str_is_nocase(field, "Content-Type") || str_is_nocase(field, "Content-Length");

    for (char **variable = variables; *variable; variable++) {
        const char *rest = is_own ? *variable : behind(*variable, "HTTP_");
        const char *value = rest ? value_of(rest, name) : NULL;
        if (value)
            return value;
    }
    return NULL;
}

const char *variables_field(const char *variable)
{
    return behind(variable, "HTTP_");
}
