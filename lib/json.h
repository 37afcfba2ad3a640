/* json: reads JSON (RFC 8259) into a flat list of nodes that keep their place in the text.
 *
 * Nothing is copied or converted: a node says what it is and which bytes of the text it covers, so
 * a part of a document can be passed on byte for byte, and a mistake can be named by line and
 * column. Values are validated whole: numbers, escapes, UTF-8, one value and nothing after it.
 *
 * Nodes stand in the order of the text. An object is followed by its members, each a string node
 * (the name) followed by the value's node; an array by its elements. `next` skips what is inside.
 */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "arena.h"
#include "str.h"

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* Deeper nesting is refused: it would be an attack, and this bounds the reader's stack. */
#define JSON_DEPTH_MAX 128

/* Stands for "there is no such node". The root is node 0. */
#define JSON_NONE UINT32_MAX

struct json_node {
    uint32_t start, end; /* bytes of the text, end exclusive; a string's quotes are included */
    uint32_t next;       /* the node behind this one and all that is inside it */
    uint32_t count;      /* members of an object or elements of an array, else 0 */
    enum json_type type;
};

struct json {
    struct str text;
    struct json_node *nodes;
    uint32_t node_count;
};

struct json_error {
    size_t at;        /* byte of the text */
    const char *what; /* "expected ',' or '}'" */
};

/* Reads `text` (at most 4 GiB - 1), which must outlive `json`; the nodes are in `arena`. Returns
 * false and fills `error` (may be NULL) where the text is not JSON. A member name that stands twice
 * is accepted. */
bool json_read(struct json *json, struct str text, struct arena *arena, struct json_error *error);

/* The value of member `name` of the object at `object` (the last one where it stands twice), or
 * JSON_NONE, also where `object` is JSON_NONE or no object. */
uint32_t json_member(const struct json *json, uint32_t object, struct str name);

/* Element `index` of the array at `array`, or JSON_NONE. */
uint32_t json_element(const struct json *json, uint32_t array, uint32_t index);

/* The node's bytes as they stand in the text. */
struct str json_raw(const struct json *json, uint32_t node);

/* The characters of a string node, escapes resolved; in the text itself where there are none, else
 * in `arena`. \u0000 gives a NUL byte; a lone surrogate gives U+FFFD. */
struct str json_string(const struct json *json, uint32_t node, struct arena *arena);

/* Line and column of byte `at`, both from 1; columns count characters (UTF-8). */
void json_position(struct str text, size_t at, unsigned *line, unsigned *column);

/* "null", "boolean", "number", "string", "array", "object": for messages. */
const char *json_type_name(enum json_type type);

#endif
