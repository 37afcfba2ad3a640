/* variables: the CGI variables of a request (RFC 3875): a list of "NAME=value" that ends with NULL.
 */
#ifndef LIB_VARIABLES_H
#define LIB_VARIABLES_H

struct arena;

/* Which of them begin with the same letter; NULL in its place: all are looked at. */
struct variables_index;

/* Of these variables, which must not change afterwards. NULL where there are more than anybody
 * sends. */
const struct variables_index *variables_index(struct arena *arena, char **variables);

/* The value of the first one of this name, or NULL. */
const char *variables_find(char **variables, const struct variables_index *index, const char *name);

/* That of a header field such as "If-None-Match" (letter case ignored), or NULL. */
const char *variables_header(
    char **variables, const struct variables_index *index, const char *field);

/* What follows HTTP_ in a variable that is a header field, else NULL. */
const char *variables_field(const char *variable);

#endif
