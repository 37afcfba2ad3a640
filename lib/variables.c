/* variables: the CGI variables of a request (RFC 3875).
 *
 * Every request looks for some twenty names among some thirty variables, which begin with few
 * different letters: so there is a chain for each of them. */
#include "variables.h"

#include <limits.h>
#include <stdbool.h>
#include "arena.h"
#include "str.h"

#define CHAINS 32

/* A place is that of a variable in the list, counted from 1. */
struct variables_index {
    unsigned short first[CHAINS]; /* by letter; 0: there is none */
    unsigned short next[];        /* by place; 0: it is the last one of its chain */
};

static size_t chain_of(char letter)
{
    return (unsigned char)letter % CHAINS;
}

const struct variables_index *variables_index(struct arena *arena, char **variables)
{
    size_t count = 0;
    while (variables[count])
        count++;
    if (count >= USHRT_MAX)
        return NULL;
    struct variables_index *index =
        arena_alloc(arena, sizeof *index + (count + 1) * sizeof *index->next);
    memset(index->first, 0, sizeof index->first);
    for (size_t place = count; place > 0; place--) {
        unsigned short *first = &index->first[chain_of(variables[place - 1][0])];
        index->next[place] = *first;
        *first = (unsigned short)place;
    }
    return index;
}

/* The places where a name that begins with this letter may stand, one after the other; 0: there is
 * none any more. */
static size_t first_place(char **variables, const struct variables_index *index, char letter)
{
    if (index)
        return index->first[chain_of(letter)];
    return variables[0] ? 1 : 0;
}

static size_t next_place(char **variables, const struct variables_index *index, size_t place)
{
    if (index)
        return index->next[place];
    return variables[place] ? place + 1 : 0;
}

/* What follows `prefix` in `text`, or NULL where that begins otherwise. No strncmp: most differ in
 * their first bytes. */
static inline const char *behind(const char *text, const char *prefix)
{
    for (; *prefix; prefix++, text++) {
        if (*text != *prefix)
            return NULL;
    }
    return text;
}

const char *variables_find(char **variables, const struct variables_index *index, const char *name)
{
    for (size_t place = first_place(variables, index, *name); place > 0;
         place = next_place(variables, index, place)) {
        const char *rest = behind(variables[place - 1], name);
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

const char *variables_header(
    char **variables, const struct variables_index *index, const char *name)
{
    /* The two fields that CGI has own variables for have no HTTP_ in front. */
    struct str field = str_of(name);
    bool is_own = str_is_nocase(field, "Content-Type") || str_is_nocase(field, "Content-Length");

    for (size_t place = first_place(variables, index, is_own ? 'C' : 'H'); place > 0;
         place = next_place(variables, index, place)) {
        const char *variable = variables[place - 1],
                   *rest = is_own ? variable : variables_field(variable),
                   *value = rest ? value_of(rest, name) : NULL;
        if (value)
            return value;
    }
    return NULL;
}

const char *variables_field(const char *variable)
{
    return behind(variable, "HTTP_");
}
