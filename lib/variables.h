/* variables: the CGI variables of a request (RFC 3875): a list of "NAME=value" that ends with NULL.
 */
#ifndef LIB_VARIABLES_H
#define LIB_VARIABLES_H

/* The value of the first one of this name, or NULL. */
const char *variables_find(char **variables, const char *name);

/* That of a header field such as "If-None-Match" (letter case ignored), or NULL. */
const char *variables_header(char **variables, const char *field);

/* What follows HTTP_ in a variable that is a header field, else NULL. */
const char *variables_field(const char *variable);

#endif
