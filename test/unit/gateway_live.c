/* gateway_live: what is taken is whole and stays so, whatever is reloaded meanwhile. */
#include "fcgi-gateway/live.h"
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { THREADS = 4, RELOADS = 300 };

static char file[] = "/tmp/gateway-live-XXXXXX";
static atomic_bool is_over;

/* An edition whose name and upstream say the same. */
static void write_file(const char *name)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fprintf(out,
        "{\"name\":\"%s\",\"upstreams\":{\"%s\":{\"servers\":[\"unix:x\"]}},"
        "\"routes\":{\"GET /{any*}\":\"%s\"}}",
        name, name, name);
    fclose(out);
}

static struct live *start(void)
{
    write_file("first");
    struct live *live = live_new(file, stderr);
    assert_non_null(live);
    return live;
}

/* With its copy, which a program would find again. */
static void stop(struct live *live)
{
    int fd = live_kept_fd(live);
    live_free(live);
    close(fd);
}

static bool reload(struct live *live)
{
    FILE *out = fopen("/dev/null", "w");
    bool is_done = live_reload(live, out);
    fclose(out);
    return is_done;
}

static void test_held_stays(void **state)
{
    (void)state;
    struct live *live = start();
    struct live_slot *slot = live_join(live), *other = live_join(live);
    const struct config *before = live_take(slot);
    write_file("second");
    assert_true(reload(live));
    assert_true(reload(live));
    assert_true(str_is(before->name, "first"));
    assert_true(str_is(live_take(other)->name, "second"));
    assert_true(str_is(live_config(live)->name, "second"));
    live_release(slot);
    assert_true(str_is(live_take(slot)->name, "second"));
    live_leave(slot);
    live_leave(other);
    stop(live);
}

static void test_refused_changes_nothing(void **state)
{
    (void)state;
    struct live *live = start();
    const struct config *before = live_config(live);
    write_file("no, no");
    assert_false(reload(live));
    unlink(file);
    assert_false(reload(live));
    assert_ptr_equal(live_config(live), before);
    stop(live);
}

/* As if started anew: what was in use counts, and the file only from the next reload on. */
static void test_copy_is_found_again(void **state)
{
    (void)state;
    struct live *live = start();
    int fd = live_kept_fd(live);
    assert_true(fd > STDERR_FILENO);
    write_file("second");
    assert_true(reload(live));
    write_file("no, no");
    live_free(live);
    live = live_new(file, stderr);
    assert_non_null(live);
    assert_true(str_is(live_config(live)->name, "second"));
    assert_int_equal(live_kept_fd(live), fd);
    stop(live);
}

static void *use(void *context)
{
    struct live_slot *slot = live_join(context);
    while (!atomic_load(&is_over)) {
        const struct config *config = live_take(slot);
        if (!str_eq(config->name, config->upstreams[0].name))
            abort();
        live_release(slot);
    }
    live_leave(slot);
    return NULL;
}

static void test_many_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct live *live = start();
    atomic_store(&is_over, false);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, live), 0);
    for (int i = 0; i < RELOADS; i++) {
        write_file(i % 2 ? "odd" : "even");
        assert_true(reload(live));
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    stop(live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_stays),
        cmocka_unit_test(test_refused_changes_nothing),
        cmocka_unit_test(test_copy_is_found_again),
        cmocka_unit_test(test_many_at_once),
    };
    close(mkstemp(file));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file);
    return failed;
}
