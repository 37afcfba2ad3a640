/* gateway_freshness: what may be kept, for how long, and what a client's wishes change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fcgi-gateway/field_text.h"
#include "fcgi-gateway/freshness.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NOW_S 784111777LL /* Sun, 06 Nov 1994 08:49:37 GMT */

static const struct freshness_setting setting = { .ttl_ms = 5000, .stale_ms = 30000 };

static struct freshness judge(int status, const char *cache_control, const char *expires)
{
    struct freshness_exchange exchange = { .status = status,
        .cache_control = str_of(cache_control),
        .expires = str_of(expires),
        .date = STR("Sun, 06 Nov 1994 08:49:37 GMT"),
        .unix_ms = NOW_S * 1000 };
    return freshness_judge(&exchange, &setting);
}

static void the_service_s_word_goes_first(void **state)
{
    static const struct {
        int status;
        const char *cache_control, *expires;
        bool is_storable;
        long long lifetime_ms, stale_while_ms, stale_error_ms;
    } cases[] = {
        { 200, NULL, NULL, true, 5000, 30000, 30000 },
        { 404, NULL, NULL, true, 5000, 30000, 30000 },
        { 201, NULL, NULL, false, 0, 0, 0 },
        { 206, "max-age=9", NULL, false, 0, 0, 0 },
        { 302, NULL, NULL, false, 0, 0, 0 },
        { 302, "max-age=9", NULL, true, 9000, 30000, 30000 },
        { 304, "max-age=9", NULL, false, 0, 0, 0 },
        { 401, NULL, NULL, false, 0, 0, 0 },
        { 500, NULL, NULL, false, 0, 0, 0 },
        { 503, "max-age=1", NULL, true, 1000, 30000, 30000 },
        { 200, "max-age=1", NULL, true, 1000, 30000, 30000 },
        { 200, "max-age=3600", NULL, true, 3600000, 30000, 30000 },
        { 200, "Max-Age=\"7\"", NULL, true, 7000, 30000, 30000 },
        { 200, "max-age=1, max-age=9", NULL, true, 1000, 30000, 30000 },
        { 200, "max-age=99999999999999999999", NULL, true, 2147483648000, 30000, 30000 },
        { 200, "max-age=x", NULL, false, 0, 0, 0 },
        { 200, "max-age=0", NULL, false, 0, 0, 0 },
        { 200, "max-age=0, stale-if-error=3", NULL, true, 0, 0, 3000 },
        { 200, "max-age=0, must-revalidate", NULL, false, 0, 0, 0 },
        { 200, "max-age=9, must-revalidate", NULL, true, 9000, 0, 0 },
        { 200, "max-age=9, proxy-revalidate", NULL, true, 9000, 0, 0 },
        { 200, "must-revalidate", NULL, true, 5000, 0, 0 },
        { 200, "max-age=9, s-maxage=2", NULL, true, 2000, 0, 0 },
        { 200, "s-maxage=1, stale-while-revalidate=59", NULL, true, 1000, 59000, 59000 },
        { 200, "max-age=1, stale-while-revalidate=2, stale-if-error=3", NULL, true, 1000, 2000,
            3000 },
        { 200, "max-age=1, stale-while-revalidate=0, stale-if-error=3", NULL, true, 1000, 0, 3000 },
        { 200, "max-age=1, stale-if-error=3, must-revalidate", NULL, true, 1000, 0, 0 },
        { 200, "no-store", NULL, false, 0, 0, 0 },
        { 200, "max-age=9, NO-STORE", NULL, false, 0, 0, 0 },
        { 200, "no-store, must-understand, max-age=9", NULL, true, 9000, 30000, 30000 },
        { 299, "no-store, must-understand, max-age=9", NULL, false, 0, 0, 0 },
        { 200, "private", NULL, false, 0, 0, 0 },
        { 200, "private=\"Set-Cookie, X\", max-age=9", NULL, false, 0, 0, 0 },
        { 200, "ext=\"a, no-store\", max-age=9", NULL, true, 9000, 30000, 30000 },
        { 200, "no-cache", NULL, false, 0, 0, 0 },
        { 200, "public", NULL, true, 5000, 30000, 30000 },
        { 200, NULL, "Sun, 06 Nov 1994 08:49:47 GMT", true, 10000, 30000, 30000 },
        { 200, NULL, "Sunday, 06-Nov-94 08:49:47 GMT", true, 10000, 30000, 30000 },
        { 200, NULL, "Sun Nov  6 08:49:47 1994", true, 10000, 30000, 30000 },
        { 200, NULL, "Sun, 06 Nov 1994 08:49:07 GMT", false, 0, 0, 0 },
        { 200, NULL, "0", false, 0, 0, 0 },
        { 200, NULL, "", false, 0, 0, 0 },
        { 200, "max-age=2", "Sun, 06 Nov 1994 08:49:47 GMT", true, 2000, 30000, 30000 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct freshness f = judge(cases[i].status, cases[i].cache_control, cases[i].expires);
        if (f.is_storable != cases[i].is_storable ||
            (f.is_storable && (f.lifetime_ms != cases[i].lifetime_ms ||
                                  f.stale_while_ms != cases[i].stale_while_ms ||
                                  f.stale_error_ms != cases[i].stale_error_ms)))
            fail_msg("%d '%s' '%s': %d %lld %lld %lld", cases[i].status, cases[i].cache_control,
                cases[i].expires, f.is_storable, f.lifetime_ms, f.stale_while_ms, f.stale_error_ms);
    }
}

/* What one person asked for, or what is not the same for all. */
static void what_is_one_person_s_is_not_kept(void **state)
{
    static const struct {
        const char *cache_control, *vary;
        bool has_authorization, has_cookie, has_set_cookie, is_storable;
    } cases[] = {
        { NULL, NULL, true, false, false, false },
        { "max-age=9", NULL, true, false, false, false },
        { "public", NULL, true, false, false, true },
        { "max-age=9, public", NULL, true, false, false, true },
        { "s-maxage=9", NULL, true, false, false, true },
        { "max-age=9, must-revalidate", NULL, true, false, false, true },
        { "public, private", NULL, true, false, false, false },
        { NULL, NULL, false, true, false, false },
        { "max-age=9", NULL, false, true, false, true },
        { "public", NULL, false, true, false, true },
        { "max-age=9, public", NULL, false, false, true, false },
        { "max-age=9", "Accept", false, false, false, true },
        { "max-age=9", "*", false, false, false, false },
        { "max-age=9", "Accept, *", false, false, false, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct freshness_exchange exchange = { .status = 200,
            .cache_control = str_of(cases[i].cache_control),
            .vary = str_of(cases[i].vary),
            .has_authorization = cases[i].has_authorization,
            .has_cookie = cases[i].has_cookie,
            .has_set_cookie = cases[i].has_set_cookie };
        if (freshness_judge(&exchange, &setting).is_storable != cases[i].is_storable)
            fail_msg("%zu '%s'", i, cases[i].cache_control);
    }
}

static void without_a_ttl_only_the_service_s_word_counts(void **state)
{
    static const struct freshness_setting none = { 0, 30000 };
    struct freshness_exchange exchange = { .status = 200, .has_validator = true };
    (void)state;
    assert_false(freshness_judge(&exchange, &none).is_storable);
    exchange.cache_control = STR("no-cache");
    assert_true(freshness_judge(&exchange, &none).is_storable);
    exchange.cache_control = STR("max-age=1");
    assert_true(freshness_judge(&exchange, &none).is_storable);
}

static void age_is_what_was_before(void **state)
{
    static const struct {
        const char *cache_control, *age, *date;
        long long took_ms, age_ms;
    } cases[] = {
        { "max-age=60", NULL, NULL, 0, 0 },
        { "max-age=60", NULL, NULL, 700, 700 },
        { "max-age=60", "7", NULL, 700, 7700 },
        { "max-age=60", "7, 9", NULL, 0, 7000 },
        { "max-age=60", "x", NULL, 0, 0 },
        { "max-age=60", "2", "Sun, 06 Nov 1994 08:49:27 GMT", 0, 9001 },
        { "max-age=60", "20", "Sun, 06 Nov 1994 08:49:27 GMT", 0, 20000 },
        { "max-age=60", NULL, "Sun, 06 Nov 1994 08:49:37 GMT", 0, 0 },
        { "max-age=60", NULL, "Sun, 06 Nov 1994 09:00:00 GMT", 0, 0 },
        { NULL, NULL, "Sun, 06 Nov 1994 08:00:00 GMT", 9000, 0 },
        { NULL, "3", "Sun, 06 Nov 1994 08:00:00 GMT", 9000, 3000 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct freshness_exchange exchange = { .status = 200,
            .cache_control = str_of(cases[i].cache_control),
            .age = str_of(cases[i].age),
            .date = str_of(cases[i].date),
            .took_ms = cases[i].took_ms,
            .unix_ms = NOW_S * 1000 };
        assert_int_equal(freshness_judge(&exchange, &setting).age_ms, cases[i].age_ms);
    }
}

/* Lifetime 5 s, then 10 s stale while somebody asks, and 20 s where the service fails. */
static void use_depends_on_age_and_wishes(void **state)
{
    static const struct freshness loose = {
        .lifetime_ms = 5000, .stale_while_ms = 10000, .stale_error_ms = 20000
    };
    static const struct freshness strict = { .is_strict = true, .lifetime_ms = 5000 };
    static const struct freshness old = {
        .age_ms = 4000, .lifetime_ms = 5000, .stale_while_ms = 10000, .stale_error_ms = 20000
    };
    static const struct {
        const struct freshness *freshness;
        const char *wish;
        long long kept_ms;
        enum freshness_use use;
    } cases[] = {
        { &loose, NULL, 0, FRESHNESS_FRESH },
        { &loose, NULL, 4999, FRESHNESS_FRESH },
        { &loose, NULL, 5000, FRESHNESS_STALE },
        { &loose, NULL, 14999, FRESHNESS_STALE },
        { &loose, NULL, 15000, FRESHNESS_FALLBACK },
        { &loose, NULL, 24999, FRESHNESS_FALLBACK },
        { &loose, NULL, 25000, FRESHNESS_SPENT },
        { &old, NULL, 999, FRESHNESS_FRESH },
        { &old, NULL, 1000, FRESHNESS_STALE },
        { &strict, NULL, 4999, FRESHNESS_FRESH },
        { &strict, NULL, 5000, FRESHNESS_SPENT },
        { &strict, "max-stale", 5000, FRESHNESS_SPENT },
        { &loose, "max-stale", 1000000, FRESHNESS_FRESH },
        { &loose, "max-stale=1", 6000, FRESHNESS_FRESH },
        { &loose, "max-stale=1", 6001, FRESHNESS_STALE },
        { &loose, "no-cache", 0, FRESHNESS_SPENT },
        { &loose, "max-age=0", 1, FRESHNESS_SPENT },
        { &loose, "max-age=3", 3000, FRESHNESS_FRESH },
        { &loose, "max-age=3", 3001, FRESHNESS_SPENT },
        { &loose, "max-age=60", 6000, FRESHNESS_STALE },
        { &loose, "min-fresh=3", 2000, FRESHNESS_FRESH },
        { &loose, "min-fresh=3", 2001, FRESHNESS_SPENT },
        { &loose, "only-if-cached, x=1", 0, FRESHNESS_FRESH },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct freshness_wish wish = freshness_wish(str_of(cases[i].wish), (struct str){ NULL, 0 });
        if (freshness_use(cases[i].freshness, &wish, cases[i].kept_ms) != cases[i].use)
            fail_msg("%zu '%s' after %lld", i, cases[i].wish, cases[i].kept_ms);
    }
}

static void what_s_maxage_makes_stale_no_client_can_take(void **state)
{
    static const struct {
        const char *cache_control, *wish;
        enum freshness_use use;
    } cases[] = {
        { "max-age=1", "max-stale", FRESHNESS_FRESH },
        { "s-maxage=1", "max-stale", FRESHNESS_SPENT },
        { "max-age=9, s-maxage=1", "max-stale=60", FRESHNESS_SPENT },
        { "s-maxage=9", "max-stale", FRESHNESS_FRESH },
        { "s-maxage=1, stale-while-revalidate=9", "max-stale", FRESHNESS_STALE },
        { "s-maxage=1, stale-if-error=9", NULL, FRESHNESS_FALLBACK },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct freshness freshness = judge(200, cases[i].cache_control, NULL);
        struct freshness_wish wish = freshness_wish(str_of(cases[i].wish), (struct str){ NULL, 0 });
        if (freshness_use(&freshness, &wish, 2000) != cases[i].use)
            fail_msg("'%s' for '%s'", cases[i].cache_control, cases[i].wish);
    }
}

static void pragma_counts_where_nothing_newer_is_said(void **state)
{
    struct str none = { NULL, 0 };
    (void)state;
    assert_true(freshness_wish(none, STR("x, No-Cache")).no_cache);
    assert_false(freshness_wish(STR("max-age=9"), STR("no-cache")).no_cache);
    assert_false(freshness_wish(none, none).no_cache);
    assert_true(freshness_wish(STR("no-store,only-if-cached"), none).no_store);
    assert_true(freshness_wish(STR("no-store,only-if-cached"), none).only_if_cached);
}

static void fields_are_found_in_their_text(void **state)
{
    struct arena arena;
    struct buf out;
    struct str fields = STR("Vary: Accept\r\nX-A:1 \r\nvary:  Origin,\"a,b\"\r\nEmpty:\r\n");
    static const char *const without[] = { "vary", "Em*" };
    (void)state;
    arena_init(&arena);
    assert_true(str_is(field_text_value(fields, "Vary", &arena), "Accept, Origin,\"a,b\""));
    assert_true(str_is(field_text_value(fields, "x-a", &arena), "1"));
    assert_non_null(field_text_value(fields, "Empty", &arena).at);
    assert_null(field_text_value(fields, "X", &arena).at);
    buf_init(&out, &arena);
    field_text_copy_without(&out, fields, without, COUNT(without));
    assert_true(str_is(buf_as_str(&out), "X-A: 1\r\n"));
    struct str list = STR(" ,a , \"b,\\\"c\" ,,"), member;
    assert_true(field_text_member(&list, &member) && str_is(member, "a"));
    assert_true(field_text_member(&list, &member) && str_is(member, "\"b,\\\"c\""));
    assert_false(field_text_member(&list, &member));
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_service_s_word_goes_first),
        cmocka_unit_test(what_is_one_person_s_is_not_kept),
        cmocka_unit_test(without_a_ttl_only_the_service_s_word_counts),
        cmocka_unit_test(age_is_what_was_before),
        cmocka_unit_test(use_depends_on_age_and_wishes),
        cmocka_unit_test(what_s_maxage_makes_stale_no_client_can_take),
        cmocka_unit_test(pragma_counts_where_nothing_newer_is_said),
        cmocka_unit_test(fields_are_found_in_their_text),
    };
    return cmocka_run_group_tests_name("gateway_freshness", tests, NULL, NULL);
}
