/* setting: reads one value of the configuration file: a text, a duration, a size, an object's
 * members. What is wrong is noted with its place, and reading goes on.
 *
 * Every function returns whether the value could be read; where not, the target keeps its value. */
#ifndef GATEWAY_SETTING_H
#define GATEWAY_SETTING_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/json.h"
#include "mistake.h"

struct settings {
    struct json json;
    struct arena *arena; /* owner of everything that is read */
    struct mistakes *mistakes;
    const bool *is_duplicate; /* by node: a name that its object has already; NULL: none is */
};

/* One member that an object may have. */
struct setting {
    const char *name;
    bool is_required;
    void (*read)(struct settings *settings, uint32_t value, void *target);
};

/* Reads the members of the object at `node` into `target`, each by its `read`. Unknown members and
 * missing ones are mistakes. */
bool setting_object(struct settings *settings, uint32_t node, const struct setting *known,
    unsigned known_count, void *target);

/* Notes where the members of the object at `node` are: nodes[i] is the value of names[i], or
 * JSON_NONE. For objects whose members cannot be read in the order of the file. Unknown members are
 * mistakes, which tell what is known here. */
bool setting_members(struct settings *settings, uint32_t node, const char *const *names,
    unsigned name_count, uint32_t *nodes);

/* Calls `each` for every member of an object with names of the file's own choosing, such as
 * "upstreams". A name that stands twice (a mistake, noted before) is passed over. */
bool setting_each(struct settings *settings, uint32_t node,
    void (*each)(struct settings *settings, uint32_t name, uint32_t value, void *target),
    void *target);

/* A string, with ${NAME} and ${NAME:-default} replaced from the environment; "$${" is "${". It has
 * no NUL: it may become a C string. */
bool setting_text(struct settings *settings, uint32_t node, struct str *text);

/* The same for what stands in messages and in one line: without control characters. */
bool setting_name(struct settings *settings, uint32_t node, struct str *text);

/* Is it a name that can stand in the file's lines and references: not empty, without space, control
 * characters and all of `others`? */
bool setting_is_word(struct str text, const char *others);

/* The same for a string that may have references: braces that come from the environment are
 * doubled, so that they are not taken for references. */
bool setting_template_text(struct settings *settings, uint32_t node, struct str *text);

/* "5s", "120ms", "2min", "1h": milliseconds, at least 1, at most a day. */
bool setting_duration(struct settings *settings, uint32_t node, int *duration_ms);

/* The same for a text that is a part of the one at `node`. */
bool setting_duration_text(
    struct settings *settings, uint32_t node, struct str text, int *duration_ms);

/* "512B", "64KiB", "10MiB", "1GiB": bytes. */
bool setting_size(struct settings *settings, uint32_t node, int64_t *bytes);

/* A whole number from `least` to `most`. */
bool setting_int(struct settings *settings, uint32_t node, int least, int most, int *number);

/* "50%": the number, from `least` to 100. */
bool setting_percent(struct settings *settings, uint32_t node, int least, int *percent);

/* true or false. */
bool setting_bool(struct settings *settings, uint32_t node, bool *is_true);

/* May the text stand in a URI as path and query (RFC 3986 section 3.3), outside of references? If
 * not, a mistake is noted at `node`. */
bool setting_target(struct settings *settings, uint32_t node, struct str text);

/* Notes a mistake at the start of a node. */
#define setting_mistake(settings, node, ...)                                                       \
    mistake_add((settings)->mistakes, (settings)->json.nodes[node].start, __VA_ARGS__)

#endif
