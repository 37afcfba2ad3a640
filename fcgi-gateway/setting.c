/* setting: reads one value of the configuration file.
 *
 * Durations and sizes are written as people write them, so the unit stands with the number and
 * nobody has to know whether a bare 5 is seconds. Knows nothing of upstreams and routes.
 */
#include "setting.h"
#include <ctype.h>
#include <stdlib.h>
#include "lib/buf.h"
#include "lib/text.h"
#include "quantity.h"

#define DAY_MS (24 * 60 * 60 * 1000)

#define VARIABLE_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

#define MEMBERS_MAX 32 /* keys that one kind of object knows */

static bool expect(struct settings *settings, uint32_t node, enum json_type type)
{
    enum json_type found = settings->json.nodes[node].type;
    if (found == type)
        return true;
    setting_mistake(
        settings, node, "expected %s, not %s", json_type_name(type), json_type_name(found));
    return false;
}

static struct str plain_string(struct settings *settings, uint32_t node)
{
    return json_string(&settings->json, node, settings->arena);
}

bool setting_each(struct settings *settings, uint32_t node,
    void (*each)(struct settings *settings, uint32_t name, uint32_t value, void *target),
    void *target)
{
    if (!expect(settings, node, JSON_OBJECT))
        return false;
    const struct json_node *nodes = settings->json.nodes;
    for (uint32_t name = node + 1; name < nodes[node].next; name = nodes[name + 1].next)
        if (!settings->is_duplicate || !settings->is_duplicate[name])
            each(settings, name, name + 1, target);
    return true;
}

/* Where an object's known members are. */
struct member_search {
    const char *const *names;
    unsigned name_count;
    uint32_t *nodes;
};

static void find_member(struct settings *settings, uint32_t name, uint32_t value, void *target)
{
    const struct member_search *search = target;
    struct str text = plain_string(settings, name);
    for (unsigned i = 0; i < search->name_count; i++)
        if (str_is(text, search->names[i])) {
            search->nodes[i] = value;
            return;
        }
    setting_mistake(settings, name, "unknown key '%.*s'%s", (int)text.len, text.at,
        mistake_suggestion(settings->arena, text, search->names, search->name_count));
}

bool setting_members(struct settings *settings, uint32_t node, const char *const *names,
    unsigned name_count, uint32_t *nodes)
{
    struct member_search search = { names, name_count, nodes };
    for (unsigned i = 0; i < name_count; i++)
        nodes[i] = JSON_NONE;
    return setting_each(settings, node, find_member, &search);
}

bool setting_object(struct settings *settings, uint32_t node, const struct setting *known,
    unsigned known_count, void *target)
{
    const char *names[MEMBERS_MAX] = { NULL };
    uint32_t nodes[MEMBERS_MAX];
    for (unsigned i = 0; i < known_count; i++)
        names[i] = known[i].name;
    if (!setting_members(settings, node, names, known_count, nodes))
        return false;
    for (unsigned i = 0; i < known_count; i++)
        if (nodes[i] != JSON_NONE)
            known[i].read(settings, nodes[i], target);
        else if (known[i].is_required)
            setting_mistake(settings, node, "'%s' is missing here", known[i].name);
    return true;
}

/* Appends text from the environment; braces doubled where references may stand. */
static void add_value(struct buf *out, struct str value, bool doubled)
{
    for (size_t i = 0; i < value.len; i++) {
        buf_char(out, value.at[i]);
        if (doubled && value.at[i] == '{')
            buf_char(out, '{');
    }
}

static bool is_variable_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!name.at[i] || !strchr(VARIABLE_CHARS, name.at[i]))
            return false;
    return name.len > 0 && !isdigit((unsigned char)*name.at);
}

/* Replaces one "${NAME:-default}", whose inside is `inside`. */
static bool add_variable(
    struct settings *settings, uint32_t node, struct buf *out, struct str inside, bool doubled)
{
    const char *mark = memmem(inside.at, inside.len, ":-", 2);
    size_t name_len = mark ? (size_t)(mark - inside.at) : inside.len;
    const char *name = arena_copy(settings->arena, inside.at, name_len);
    if (!is_variable_name((struct str){ name, name_len })) {
        setting_mistake(settings, node,
            "a variable's name is letters, digits and '_' (write ${NAME} or ${NAME:-default})");
        return false;
    }
    const char *value = getenv(name);
    if (value && (*value || !mark)) {
        add_value(out, str_of(value), doubled);
        return true;
    }
    if (mark) {
        buf_add(out, mark + 2, inside.len - name_len - 2);
        return true;
    }
    setting_mistake(settings, node,
        "the environment has no variable '%s' (give a default: ${%s:-value})", name, name);
    return false;
}

static bool begins(struct str text, size_t at, const char *with)
{
    size_t len = strlen(with);
    return text.len - at >= len && memcmp(text.at + at, with, len) == 0;
}

static bool expand(
    struct settings *settings, uint32_t node, struct str raw, struct str *text, bool doubled)
{
    struct buf out;
    buf_init(&out, settings->arena);
    bool is_good = true;
    for (size_t i = 0; i < raw.len;) {
        if (begins(raw, i, "$${")) {
            add_value(&out, STR("${"), doubled);
            i += 3;
            continue;
        }
        if (!begins(raw, i, "${")) {
            buf_char(&out, raw.at[i++]);
            continue;
        }
        const char *end = memchr(raw.at + i, '}', raw.len - i);
        if (!end) {
            setting_mistake(settings, node, "'${' without '}' (write ${NAME} or ${NAME:-default})");
            return false;
        }
        struct str inside = { raw.at + i + 2, (size_t)(end - raw.at) - i - 2 };
        is_good &= add_variable(settings, node, &out, inside, doubled);
        i = end + 1 - raw.at;
    }
    *text = buf_as_str(&out);
    return is_good;
}

/* Where it may become a C string, what stands behind a NUL would be lost without a word. */
static bool read_text(struct settings *settings, uint32_t node, struct str *text, bool doubled)
{
    if (!expect(settings, node, JSON_STRING))
        return false;
    struct str raw = plain_string(settings, node);
    if (str_has(raw, '\0')) {
        setting_mistake(settings, node, "a text has no \\u0000 here");
        return false;
    }
    if (memmem(raw.at, raw.len, "${", 2))
        return expand(settings, node, raw, text, doubled);
    *text = raw;
    return true;
}

bool setting_text(struct settings *settings, uint32_t node, struct str *text)
{
    return read_text(settings, node, text, false);
}

bool setting_template_text(struct settings *settings, uint32_t node, struct str *text)
{
    return read_text(settings, node, text, true);
}

bool setting_name(struct settings *settings, uint32_t node, struct str *text)
{
    if (!setting_text(settings, node, text))
        return false;
    if (!text_has_control(*text))
        return true;
    setting_mistake(settings, node, "a name has no control characters");
    return false;
}

bool setting_is_word(struct str text, const char *others)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == ' ' || strchr(others, text.at[i]))
            return false;
    return text.len > 0 && !text_has_control(text);
}

/* A bare number, where a text with a unit belongs: a mistake. */
static bool lacks_unit(
    struct settings *settings, uint32_t node, const char *what, const char *unit, const char *other)
{
    if (settings->json.nodes[node].type != JSON_NUMBER)
        return false;
    struct str raw = json_raw(&settings->json, node);
    setting_mistake(settings, node, "a %s has a unit: \"%.*s%s\" or \"%.*s%s\"", what, (int)raw.len,
        raw.at, unit, (int)raw.len, raw.at, other);
    return true;
}

bool setting_duration_text(
    struct settings *settings, uint32_t node, struct str text, int *duration_ms)
{
    const char *written = arena_copy(settings->arena, text.at, text.len);
    int64_t duration = quantity_duration_of(written);
    if (duration < 1 || duration > DAY_MS) {
        setting_mistake(settings, node,
            "'%s' is no duration from 1ms to 24h (write \"5s\", \"120ms\", \"2min\")", written);
        return false;
    }
    *duration_ms = (int)duration;
    return true;
}

bool setting_duration(struct settings *settings, uint32_t node, int *duration_ms)
{
    struct str text;
    if (lacks_unit(settings, node, "duration", "s", "ms") || !setting_text(settings, node, &text))
        return false;
    return setting_duration_text(settings, node, text, duration_ms);
}

bool setting_size(struct settings *settings, uint32_t node, int64_t *bytes)
{
    struct str text;
    if (lacks_unit(settings, node, "size", "B", "KiB") || !setting_text(settings, node, &text))
        return false;
    const char *written = arena_copy(settings->arena, text.at, text.len);
    int64_t size = quantity_size_of(written);
    if (size < 0) {
        setting_mistake(settings, node,
            "'%s' is no size (write \"512B\", \"64KiB\", \"10MiB\", \"1GiB\")", written);
        return false;
    }
    *bytes = size;
    return true;
}

bool setting_int(struct settings *settings, uint32_t node, int least, int most, int *number)
{
    if (!expect(settings, node, JSON_NUMBER))
        return false;
    struct str raw = json_raw(&settings->json, node);
    char *end;
    long value = strtol(arena_copy(settings->arena, raw.at, raw.len), &end, 10);
    if (*end || value < least || value > most) {
        setting_mistake(settings, node, "%.*s is no whole number from %d to %d", (int)raw.len,
            raw.at, least, most);
        return false;
    }
    *number = (int)value;
    return true;
}

bool setting_percent(struct settings *settings, uint32_t node, int least, int *percent)
{
    struct str text, raw = json_raw(&settings->json, node);
    if (settings->json.nodes[node].type == JSON_NUMBER)
        setting_mistake(settings, node, "a share is a text: \"%.*s%%\"", (int)raw.len, raw.at);
    if (settings->json.nodes[node].type == JSON_NUMBER || !setting_text(settings, node, &text))
        return false;
    const char *written = arena_copy(settings->arena, text.at, text.len);
    int64_t share = quantity_share_of(written);
    if (share < least || share > 100) {
        setting_mistake(
            settings, node, "'%s' is no share from %d%% to 100%% (write \"50%%\")", written, least);
        return false;
    }
    *percent = (int)share;
    return true;
}

bool setting_bool(struct settings *settings, uint32_t node, bool *is_true)
{
    enum json_type type = settings->json.nodes[node].type;
    if (type != JSON_TRUE && type != JSON_FALSE) {
        setting_mistake(settings, node, "expected true or false, not %s", json_type_name(type));
        return false;
    }
    *is_true = type == JSON_TRUE;
    return true;
}

/* What may not stand in a path or query as it is (RFC 3986 section 3.3). */
static bool is_target(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"#<>\\^`|", c))
            return false;
        if (c == '%' && (i + 2 >= text.len || !isxdigit((unsigned char)text.at[i + 1]) ||
                            !isxdigit((unsigned char)text.at[i + 2])))
            return false;
    }
    return true;
}

bool setting_target(struct settings *settings, uint32_t node, struct str text)
{
    if (is_target(text))
        return true;
    setting_mistake(settings, node,
        "a path has no control or non-ASCII characters and none of \"#<>\\^`| but as %%XX");
    return false;
}
