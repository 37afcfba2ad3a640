/* gateway_cache: what is kept, found, pushed out and purged; also from many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include "fcgi-gateway/cache.h"
#include "fcgi-gateway/hash.h"

#define MIB ((size_t)1024 * 1024)

static struct stored *reply(const char *body, const char *vary_values)
{
    struct stored_draft draft;
    assert_true(stored_begin(&draft, 200, STR("X-A: 1\r\n"), MIB));
    assert_true(stored_add(&draft, body, strlen(body)));
    return stored_end(&draft, STR("Accept"), str_of(vary_values));
}

/* Fits replies whose vary_values are the text at `context`. */
static bool fits(void *context, const struct stored *stored)
{
    return str_is(stored->vary_values, context);
}

static struct cache_asker asker(const char *values)
{
    return (struct cache_asker){ fits, (void *)values };
}

static struct cache_key key(const char *text, const char *path)
{
    return (struct cache_key){ str_of(text), str_of(path) };
}

static bool keep_at(
    struct cache *cache, const char *text, const char *path, const char *body, const char *values)
{
    struct cache_asker who = asker(values);
    struct cache_key under = key(text, path);
    struct stored *stored = reply(body, values);
    bool is_kept = cache_keep(cache, &under, &who, cache_mark(cache, str_of(path)), stored);
    stored_release(stored);
    return is_kept;
}

/* Is the body that is found `body`? NULL: nothing is. */
static bool has(struct cache *cache, const char *text, const char *values, const char *body)
{
    struct cache_asker who = asker(values);
    struct cache_key under = key(text, "/");
    struct stored *stored = cache_find(cache, &under, &who);
    bool is_same = body ? stored && str_is(stored->body, body) : !stored;
    stored_release(stored);
    return is_same;
}

static void what_is_kept_is_found_by_key_and_vary(void **state)
{
    struct cache *cache = cache_new(MIB);
    struct cache_key under = key("a", "/a");
    struct cache_asker who = asker("z");
    (void)state;
    assert_true(has(cache, "a", "x", NULL));
    assert_true(keep_at(cache, "a", "/a", "one", "x"));
    assert_true(keep_at(cache, "a", "/a", "two", "y"));
    assert_true(has(cache, "a", "x", "one"));
    assert_true(has(cache, "a", "y", "two"));
    assert_true(has(cache, "b", "x", NULL));
    assert_null(cache_find(cache, &under, &who));
    assert_true(keep_at(cache, "a", "/a", "three", "x"));
    assert_true(has(cache, "a", "x", "three"));
    assert_int_equal(cache_figures(cache).replies, 2);
    who = asker("x");
    cache_drop(cache, &under, &who);
    assert_true(has(cache, "a", "x", NULL));
    assert_true(has(cache, "a", "y", "two"));
    cache_free(cache);
}

static void variants_of_one_key_are_bounded(void **state)
{
    struct cache *cache = cache_new(MIB);
    char values[100][16];
    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(values[i], sizeof values[i], "%d", i);
        assert_true(keep_at(cache, "a", "/a", "x", values[i]));
    }
    assert_int_equal(cache_figures(cache).replies, 16);
    assert_true(has(cache, "a", "99", "x"));
    assert_true(has(cache, "a", "0", NULL));
    cache_free(cache);
}

static void what_was_not_used_for_longest_goes_first(void **state)
{
    struct cache *cache = cache_new(MIB);
    static char body[10001];
    char name[16];
    (void)state;
    memset(body, 'x', sizeof body - 1);
    assert_true(keep_at(cache, "first", "/first", body, ""));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(keep_at(cache, name, name, body, ""));
        assert_true(has(cache, "first", "", body));
    }
    struct cache_figures figures = cache_figures(cache);
    assert_true(figures.bytes <= MIB && figures.bytes > MIB / 2);
    assert_int_equal(figures.replies + figures.evicted, 1001);
    assert_true(has(cache, "0", "", NULL));
    assert_true(has(cache, "999", "", body));
    cache_resize(cache, 0);
    assert_int_equal(cache_figures(cache).bytes, 0);
    assert_false(keep_at(cache, "a", "/a", "x", ""));
    cache_free(cache);
}

static void purges_are_by_path(void **state)
{
    struct cache *cache = cache_new(16 * MIB);
    char name[32], path[32];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "k%d", i);
        snprintf(path, sizeof path, i % 2 ? "/users/%d" : "/orders/%d", i / 4);
        assert_true(keep_at(cache, name, path, "x", ""));
    }
    assert_int_equal(cache_purge(cache, STR("/users/7")), 2);
    assert_int_equal(cache_purge(cache, STR("/users/7")), 0);
    assert_int_equal(
        cache_purge_path(cache, STR("/users/*")), 0); /* a client's path is no pattern */
    assert_true(has(cache, "k29", "", NULL));
    assert_true(has(cache, "k28", "", "x"));
    assert_int_equal(cache_purge(cache, STR("/users/1*")), 222);
    assert_int_equal(cache_purge(cache, STR("/users/*")), 500 - 2 - 222);
    assert_int_equal(cache_purge(cache, STR("*")), 500);
    assert_int_equal(cache_figures(cache).bytes, 0);
    cache_free(cache);
}

static void what_was_asked_for_before_a_purge_is_not_kept(void **state)
{
    struct cache *cache = cache_new(MIB);
    struct cache_key under = key("a", "/a");
    struct cache_asker who = asker("");
    struct stored *stored = reply("old", "");
    unsigned mark = cache_mark(cache, under.path);
    (void)state;
    cache_purge(cache, STR("/a"));
    assert_false(cache_keep(cache, &under, &who, mark, stored));
    mark = cache_mark(cache, under.path);
    cache_purge(cache, STR("/*"));
    assert_false(cache_keep(cache, &under, &who, mark, stored));
    assert_true(cache_keep(cache, &under, &who, cache_mark(cache, under.path), stored));
    stored_release(stored);
    cache_free(cache);
}

static void a_reply_outlives_its_place_in_the_cache(void **state)
{
    struct cache *cache = cache_new(MIB);
    struct cache_key under = key("a", "/a");
    struct cache_asker who = asker("");
    (void)state;
    keep_at(cache, "a", "/a", "still here", "");
    struct stored *stored = cache_find(cache, &under, &who);
    cache_purge(cache, STR("*"));
    cache_free(cache);
    assert_true(str_is(stored->body, "still here"));
    assert_true(str_is(stored->fields, "X-A: 1\r\n"));
    stored_release(stored);
}

static void drafts_are_bounded(void **state)
{
    struct stored_draft draft;
    (void)state;
    assert_true(stored_begin(&draft, 200, STR("A: 1\r\n"), 4));
    assert_true(stored_add(&draft, "abcd", 4));
    assert_false(stored_add(&draft, "e", 1));
    assert_true(stored_is_empty(&draft));
    assert_false(stored_add(&draft, "", 0));
    assert_null(stored_end(&draft, STR(""), STR("")));
}

#define THREADS 4
#define ROUNDS 3000

static void *use_it(void *argument)
{
    struct cache *cache = argument;
    char name[16];
    for (unsigned i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof name, "%u", i * 7919 % 97);
        keep_at(cache, name, name, name, "");
        struct cache_key under = key(name, name);
        struct cache_asker who = asker("");
        struct stored *stored = cache_find(cache, &under, &who);
        assert_true(!stored || str_is(stored->body, name));
        stored_release(stored);
        if (i % 50 == 0)
            cache_purge(cache, i % 100 ? str_of(name) : STR("1*"));
        if (i % 500 == 0)
            cache_resize(cache, 8192 + i);
    }
    return NULL;
}

static void threads_may_do_all_of_it_at_once(void **state)
{
    struct cache *cache = cache_new(16384);
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, use_it, cache);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(cache_figures(cache).bytes <= 16384);
    cache_purge(cache, STR("*"));
    assert_int_equal(cache_figures(cache).bytes, 0);
    cache_free(cache);
}

/* The vectors of SipHash's own paper: key 00..0f, text 00..0e. */
static void the_hash_is_siphash(void **state)
{
    static const struct hash_seed seed = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
    char text[15];
    (void)state;
    for (int i = 0; i < 15; i++)
        text[i] = (char)i;
    assert_true(hash_text(seed, (struct str){ text, 15 }) == UINT64_C(0xa129ca6149be45e5));
    assert_true(hash_text(seed, (struct str){ text, 0 }) == UINT64_C(0x726fdb47dd0e0e31));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_found_by_key_and_vary),
        cmocka_unit_test(variants_of_one_key_are_bounded),
        cmocka_unit_test(what_was_not_used_for_longest_goes_first),
        cmocka_unit_test(purges_are_by_path),
        cmocka_unit_test(what_was_asked_for_before_a_purge_is_not_kept),
        cmocka_unit_test(a_reply_outlives_its_place_in_the_cache),
        cmocka_unit_test(drafts_are_bounded),
        cmocka_unit_test(threads_may_do_all_of_it_at_once),
        cmocka_unit_test(the_hash_is_siphash),
    };
    return cmocka_run_group_tests_name("gateway_cache", tests, NULL, NULL);
}
