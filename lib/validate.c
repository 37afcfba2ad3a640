/* validate: what a body says of a row, held against the table's columns.
 *
 * All that is wrong is told at once: who fills in a form wants to mend it once. Only the body is
 * looked at; what needs the file (is the email taken, may the status change) is asked later. */
#include "validate.h"
#include "value.h"

/* Members that are no columns and are told: a body of 1 MiB can have 100,000 of them. */
#define UNKNOWN_MAX 32

/* What the body has for each column, and what else is in it. */
struct findings {
    uint32_t nodes[TABLE_COLUMNS_MAX]; /* JSON_NONE: nothing */
    bool is_twice[TABLE_COLUMNS_MAX];
    struct str unknown[UNKNOWN_MAX];
    int unknown_count;
};

void validate_add(struct buf *fields, struct str name, const char *complaint)
{
    buf_char(fields, fields->len == 0 ? '{' : ',');
    buf_json_string(fields, name);
    buf_char(fields, ':');
    buf_json_string(fields, str_of(complaint));
}

void validate_end(struct buf *fields)
{
    buf_text(fields, fields->len == 0 ? "{}" : "}");
}

static int find_column(const struct table *table, struct str name)
{
    for (int i = 0; i < table->column_count; i++)
        if (str_is(name, table->columns[i].name))
            return i;
    return -1;
}

static void note_unknown(struct findings *findings, struct str name)
{
    for (int i = 0; i < findings->unknown_count; i++)
        if (str_eq(findings->unknown[i], name))
            return;
    if (findings->unknown_count < UNKNOWN_MAX)
        findings->unknown[findings->unknown_count++] = name;
}

static void look_through(const struct validation *validation, struct findings *findings)
{
    const struct json *json = validation->json;
    uint32_t member = 1;
    for (int i = 0; i < TABLE_COLUMNS_MAX; i++)
        findings->nodes[i] = JSON_NONE;
    for (uint32_t i = 0; i < json->nodes[0].count; i++) {
        struct str name = json_string(json, member, validation->arena);
        int column = find_column(validation->table, name);
        if (column < 0) {
            note_unknown(findings, name);
        } else {
            findings->is_twice[column] = findings->nodes[column] != JSON_NONE;
            findings->nodes[column] = member + 1;
        }
        member = json->nodes[member + 1].next;
    }
}

/* A column that the body says nothing of, or null in a patch. */
static const char *judge_absent(const struct validation *validation, const struct column *column,
    bool is_removed, bool is_previous_bad, struct value *value)
{
    if (column->is_read_only || (validation->kind == VALIDATE_PATCH && !is_removed))
        return NULL;
    if (column->fallback) {
        value_fall_back(column, validation->now, validation->arena, value);
        return NULL;
    }
    if (column->is_derived && is_previous_bad)
        return NULL;
    return is_removed ? "cannot be removed" : "is required";
}

/* A column that is not the body's to say: the id, above all. */
static const char *judge_read_only(const struct validation *validation, const struct column *column,
    uint32_t node, struct value *value)
{
    if (validation->kind == VALIDATE_NEW || column != validation->table->columns)
        return "is given by the service";
    bool is_id = !value_read(column, validation->json, node, validation->arena, value) &&
                 value->number == validation->id;
    value->is_set = false;
    return is_id ? NULL : "must be the one in the path";
}

static const char *judge(const struct validation *validation, const struct findings *findings,
    int i, bool is_previous_bad, struct value *value)
{
    const struct column *column = &validation->table->columns[i];
    uint32_t node = findings->nodes[i];
    if (findings->is_twice[i])
        return "stands twice in the body";
    if (node == JSON_NONE)
        return judge_absent(validation, column, false, is_previous_bad, value);
    if (column->is_read_only)
        return judge_read_only(validation, column, node, value);
    if (validation->kind == VALIDATE_PATCH && validation->json->nodes[node].type == JSON_NULL)
        return judge_absent(validation, column, true, is_previous_bad, value);
    return value_read(column, validation->json, node, validation->arena, value);
}

bool validate_body(const struct validation *validation, struct record *record, struct buf *fields)
{
    struct findings findings = { .unknown_count = 0 };
    bool is_bad = false;
    look_through(validation, &findings);
    for (int i = 0; i < validation->table->column_count; i++) {
        record->values[i] = (struct value){ .is_set = false };
        const char *complaint = judge(validation, &findings, i, is_bad, &record->values[i]);
        is_bad = complaint != NULL;
        if (complaint)
            validate_add(fields, str_of(validation->table->columns[i].name), complaint);
    }
    for (int i = 0; i < findings.unknown_count; i++)
        validate_add(fields, findings.unknown[i], "is not known");
    if (fields->len == 0)
        return true;
    validate_end(fields);
    return false;
}
