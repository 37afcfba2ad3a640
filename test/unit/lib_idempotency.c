/* lib_idempotency: replies that are kept for a day, and the bodies that they belong to. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/buf.h"
#include "lib/idempotency.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define NOW 1732782600
#define DAY IDEMPOTENCY_SECONDS

static const char *const steps[] = {
#include "lib/sql/replies.sql.inc"
};
static const struct db_schema schema = { steps, COUNT(steps), 1 };

static char folder[256], path[300];
static struct arena arena;
static struct db *db;

static int setup(void **state)
{
    char error[512];
    (void)state;
    arena_init(&arena);
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/lib_idempotency.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/replies.db", folder);
    if (!db_prepare(path, &schema, error, sizeof error))
        return -1;
    db = db_open(path, error, sizeof error);
    return db ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    db_close(db);
    arena_clear(&arena);
    unlink(path);
    return rmdir(folder);
}

static struct idempotency request(const char *key, const char *body)
{
    return (struct idempotency){ STR("POST /cups"), str_of(key),
        idempotency_fingerprint(str_of(body), 0, 0, &arena) };
}

static enum idempotency_result find(
    const struct idempotency *idempotency, int64_t now, struct outcome *outcome)
{
    enum db_result failure;
    return idempotency_find(db, idempotency, now, &arena, outcome, &failure);
}

static void keep(const struct idempotency *idempotency, int64_t now, const char *body)
{
    struct outcome outcome = { 201, STR("/cups/1"), STR("\"1-1\""), str_of(body) };
    assert_int_equal(idempotency_keep(db, idempotency, now, &outcome), DB_DONE);
}

static void keys(void **state)
{
    char longest[IDEMPOTENCY_KEY_MAX + 2];
    static const struct {
        const char *key;
        bool is_valid;
    } cases[] = {
        { "a", true },
        { "0b4e7a9e-3c1f-4f0e-9a5e-1d2c3b4a5f6e", true },
        { "\"quoted, as the draft has it\"", false },
        { "!~", true },
        { "", false },
        { "a b", false },
        { "a\t", false },
        { "\x7f", false },
        { "\xC3\xA9", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(idempotency_key_is_valid(str_of(cases[i].key)), cases[i].is_valid);
    memset(longest, 'k', sizeof longest);
    assert_true(idempotency_key_is_valid((struct str){ longest, IDEMPOTENCY_KEY_MAX }));
    assert_false(idempotency_key_is_valid((struct str){ longest, IDEMPOTENCY_KEY_MAX + 1 }));
}

static void a_reply_is_found_for_a_day_and_with_its_body_only(void **state)
{
    struct outcome first;
    struct idempotency one = request("k", "{}"), other = request("k", "{ }"),
                       another_key = request("K", "{}"), another_path = one;
    (void)state;
    another_path.request = STR("POST /mugs");
    assert_int_equal(find(&one, NOW, &first), IDEMPOTENCY_NEW);
    keep(&one, NOW, "{\"cup\":1}");
    assert_int_equal(find(&one, NOW + DAY - 1, &first), IDEMPOTENCY_REPEATED);
    assert_int_equal(first.status, 201);
    assert_true(str_is(first.location, "/cups/1"));
    assert_true(str_is(first.etag, "\"1-1\""));
    assert_true(str_is(first.body, "{\"cup\":1}"));
    assert_int_equal(find(&other, NOW, &first), IDEMPOTENCY_OTHER);
    assert_int_equal(find(&another_key, NOW, &first), IDEMPOTENCY_NEW);
    assert_int_equal(find(&another_path, NOW, &first), IDEMPOTENCY_NEW);
    assert_int_equal(find(&one, NOW + DAY, &first), IDEMPOTENCY_NEW);
    keep(&other, NOW + DAY, "{\"cup\":2}"); /* in the place of the first, that is too old */
    assert_int_equal(find(&other, NOW + DAY, &first), IDEMPOTENCY_REPEATED);
    assert_true(str_is(first.body, "{\"cup\":2}"));
}

static void old_replies_go_some_at_a_time(void **state)
{
    int64_t left, before;
    (void)state;
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        struct idempotency idempotency = request(key, "{}");
        keep(&idempotency, NOW, "{}");
    }
    assert_int_equal(db_number(db, "SELECT count(*) FROM replies", &before), DB_ROW);
    assert_int_equal(before, 100);
    for (int i = 0; i < 100 && before > 1; i++) {
        struct idempotency idempotency = request("new", "{}");
        keep(&idempotency, NOW + DAY, "{}");
        assert_int_equal(db_number(db, "SELECT count(*) FROM replies", &left), DB_ROW);
        assert_true(left < before && before - left <= 8);
        before = left;
    }
    assert_int_equal(before, 1);
}

static void fingerprints(void **state)
{
    /* The first two are FNV-1a's published values for "" and "a". */
    static const struct {
        const char *body;
        size_t skip, skip_len;
        const char *expected;
    } cases[] = {
        { "", 0, 0, "6c62272e07bb014262b821756295c58d-0" },
        { "a", 0, 0, "d228cb696f1a8caf78912b704e4a8964-1" },
        { "xa", 0, 1, "d228cb696f1a8caf78912b704e4a8964-1" },
        { "ax", 1, 1, "d228cb696f1a8caf78912b704e4a8964-1" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str fingerprint = idempotency_fingerprint(
            str_of(cases[i].body), cases[i].skip, cases[i].skip_len, &arena);
        assert_string_equal(arena_copy(&arena, fingerprint.at, fingerprint.len), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(keys),
        TEST(a_reply_is_found_for_a_day_and_with_its_body_only),
        TEST(old_replies_go_some_at_a_time),
        TEST(fingerprints),
    };

    return cmocka_run_group_tests_name("lib/idempotency", tests, NULL, NULL);
}
