/* value: from one JSON value, or a column's fallback, to what the file keeps of it.
 *
 * Texts are told by what they are in the file, numbers by their digits: nothing is rounded, cut or
 * mended here, it is accepted as it stands or refused. */
#include "value.h"
#include <stdlib.h>
#include "decimal.h"
#include "text.h"

/* Every double is a whole number there and every reader of JSON keeps it (RFC 8259 section 6): the
 * range of whole numbers where the column names none. */
#define INTEGER_MAX (((int64_t)1 << 53) - 1)

/* Characters of a text where its column names no bound. */
#define CHARACTERS_MAX 1000

#define CENT_PLACES 2

static const char *complain_range(const struct column *column, struct arena *arena)
{
    struct buf text;
    buf_init(&text, arena);
    buf_text(&text, "must be from ");
    if (column->type == COLUMN_CENTS)
        table_write_cents(&text, column->min);
    else
        buf_int(&text, column->min);
    buf_text(&text, " to ");
    if (column->type == COLUMN_CENTS)
        table_write_cents(&text, column->max);
    else
        buf_int(&text, column->max);
    return buf_as_text(&text);
}

static const char *read_number(const struct column *column, const struct json *json, uint32_t node,
    struct arena *arena, struct value *value)
{
    bool is_money = column->type == COLUMN_CENTS;
    const char *kind =
        is_money ? "must be a number with at most 2 decimals" : "must be a whole number";
    struct column bounded = *column;
    if (bounded.min == 0 && bounded.max == 0) {
        bounded.min = -INTEGER_MAX;
        bounded.max = INTEGER_MAX;
    }
    if (json->nodes[node].type != JSON_NUMBER)
        return kind;
    switch (decimal_read(json_raw(json, node), is_money ? CENT_PLACES : 0, &value->number)) {
    case DECIMAL_TOO_FINE:
        return kind;
    case DECIMAL_OK:
        if (value->number >= bounded.min && value->number <= bounded.max)
            return NULL;
        break;
    case DECIMAL_TOO_LARGE:
        break;
    }
    return complain_range(&bounded, arena);
}

static const char *read_bool(const struct json *json, uint32_t node, struct value *value)
{
    enum json_type type = json->nodes[node].type;
    value->number = type == JSON_TRUE;
    return type == JSON_TRUE || type == JSON_FALSE ? NULL : "must be true or false";
}

/* A surrogate without its partner has become U+FFFD: nobody meant to write that. */
static bool has_lone_surrogate(const struct json *json, uint32_t node, struct str text)
{
    struct str raw = json_raw(json, node);
    return memmem(text.at, text.len, "\xEF\xBF\xBD", 3) &&
           (memmem(raw.at, raw.len, "\\ud", 3) || memmem(raw.at, raw.len, "\\uD", 3));
}

static int64_t count_characters(struct str text, bool *is_blank)
{
    int64_t count = 0;
    *is_blank = true;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        count += (c & 0xC0) != 0x80; /* all but a character's later bytes */
        *is_blank = *is_blank && (c <= ' ');
    }
    return count;
}

static const char *judge_length(const struct column *column, struct str text, struct arena *arena)
{
    bool is_bounded = column->min != 0 || column->max != 0, is_blank;
    int64_t least = is_bounded ? column->min : 1;
    int64_t most = is_bounded ? column->max : CHARACTERS_MAX;
    int64_t count = count_characters(text, &is_blank);
    if (least > 0 && is_blank)
        return "must not be empty";
    if (count >= least && count <= most)
        return NULL;
    struct buf complaint;
    buf_init(&complaint, arena);
    buf_printf(
        &complaint, "must have from %lld to %lld characters", (long long)least, (long long)most);
    return buf_as_text(&complaint);
}

static const char *judge_choice(const struct column *column, struct str text, struct arena *arena)
{
    struct buf choices;
    buf_init(&choices, arena);
    buf_text(&choices, "must be ");
    for (int i = 0; column->values[i]; i++) {
        if (str_is(text, column->values[i]))
            return NULL;
        buf_text(&choices, i == 0 ? "" : column->values[i + 1] ? ", " : " or ");
        buf_text(&choices, column->values[i]);
    }
    return buf_as_text(&choices);
}

/* Does `text` look like `picture`, in which 0 stands for any digit? */
static bool looks_like(struct str text, const char *picture)
{
    if (text.len != strlen(picture))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_digit = text.at[i] >= '0' && text.at[i] <= '9';
        if (picture[i] == '0' ? !is_digit : text.at[i] != picture[i])
            return false;
    }
    return true;
}

static int digits(struct str text, size_t at, size_t len)
{
    int number = 0;
    for (size_t i = at; i < at + len; i++)
        number = number * 10 + (text.at[i] - '0');
    return number;
}

/* "2024-02-29" at the start: a day that the (proleptic Gregorian) calendar has. */
static bool is_day(struct str text)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
    if (month < 1 || month > 12)
        return false;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day >= 1 && day <= days[month - 1] + (month == 2 && is_leap);
}

static const char *judge_time(enum column_type type, struct str text)
{
    if (type == COLUMN_DATE)
        return looks_like(text, "0000-00-00") && is_day(text) ? NULL
                                                              : "must be a date such as 2024-11-28";
    bool is_time = looks_like(text, "0000-00-00 00:00") && is_day(text) &&
                   digits(text, 11, 2) < 24 && digits(text, 14, 2) < 60;
    return is_time ? NULL : "must be a time such as 2024-11-28 08:30";
}

static const char *read_text(const struct column *column, const struct json *json, uint32_t node,
    struct arena *arena, struct value *value)
{
    const char *complaint = NULL;
    if (json->nodes[node].type != JSON_STRING)
        return "must be a text";
    struct str text = value->text = json_string(json, node, arena);
    if (str_has(text, '\0'))
        return "must not contain NUL (\\u0000)";
    if (has_lone_surrogate(json, node, text))
        return "must not contain half of a surrogate pair";
    if (column->type != COLUMN_TEXT)
        return judge_time(column->type, text);
    if (column->values)
        return judge_choice(column, text, arena);
    complaint = judge_length(column, text, arena);
    return !complaint && column->check ? column->check(text) : complaint;
}

const char *value_read(const struct column *column, const struct json *json, uint32_t node,
    struct arena *arena, struct value *value)
{
    value->is_set = true;
    switch (column->type) {
    case COLUMN_INT:
    case COLUMN_CENTS:
        return read_number(column, json, node, arena, value);
    case COLUMN_BOOL:
        return read_bool(json, node, value);
    case COLUMN_TEXT:
    case COLUMN_DATE:
    case COLUMN_MINUTE:
        break;
    }
    return read_text(column, json, node, arena, value);
}

void value_fall_back(
    const struct column *column, time_t now, struct arena *arena, struct value *value)
{
    char time[32];
    struct tm parts;
    *value = (struct value){ .is_set = true, .text = str_of(column->fallback) };
    switch (column->type) {
    case COLUMN_INT:
        value->number = strtoll(column->fallback, NULL, 10);
        break;
    case COLUMN_CENTS:
        decimal_read(value->text, CENT_PLACES, &value->number);
        break;
    case COLUMN_BOOL:
        value->number = str_is(value->text, "true");
        break;
    case COLUMN_TEXT:
        break;
    case COLUMN_DATE:
    case COLUMN_MINUTE:
        gmtime_r(&now, &parts);
        value->text.len = strftime(
            time, sizeof time, column->type == COLUMN_DATE ? "%Y-%m-%d" : "%Y-%m-%d %H:%M", &parts);
        value->text.at = arena_copy(arena, time, value->text.len);
        break;
    }
}
