/* gateway_jq_program: a program gives exactly one value or says why not, whatever it is given, and
 * many threads may run it at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <cmocka.h>
#include "fcgi-gateway/jq_program.h"
#include "lib/log.h"

#define STACK_SIZE (256 * 1024) /* as lib/pool's threads have */
#define THREADS 16
#define RUNS 200

static struct jq_program *compile(const char *text, struct arena *arena)
{
    const char *why = NULL;
    struct jq_program *program = jq_program_new(str_of(text), arena, &why);
    if (program) {
        jq_programs_check(&program, 1, arena);
        why = jq_program_mistake(program);
    }
    if (why)
        fail_msg("%s: %s", text, why);
    return program;
}

/* Without a deadline. */
static bool run(struct jq_program *program, struct str input, struct arena *arena,
    struct str *output, const char **why)
{
    return jq_program_run(program, input, 0, arena, output, why) == JQ_DONE;
}

struct check {
    const char *program, *input;
    const char *output; /* or NULL */
    const char *why;
};

static const struct check checks[] = {
    { ".", "{\"a\":[1,\"\\u00e9\",null]}", "{\"a\":[1,\"é\",null]}", NULL },
    { "[.[] | .price] | add", "[{\"price\":1.5},{\"price\":2}]", "3.5", NULL },
    { "group_by(.k) | map({(.[0].k): length}) | add", "[{\"k\":\"a\"},{\"k\":\"b\"},{\"k\":\"a\"}]",
        "{\"a\":2,\"b\":1}", NULL },
    { "def f: 1; f", "0", "1", NULL },
    { "# a comment\n.", "0", "0", NULL },
    { "null", "0", "null", NULL },
    { "empty", "0", NULL, "the program gives no value" },
    { "error(null)", "0", NULL, "the program gives no value" },
    { "1, 2", "0", NULL, "the program gives more than one value" },
    { "1, error(\"late\")", "0", NULL, "late" },
    { ".a", "[]", NULL, "Cannot index array with string \"a\"" },
    { "error(\"x\")", "0", NULL, "x" },
    { "error({a: 1})", "0", NULL, "{\"a\":1}" },
    { "error(\"\")", "0", NULL, "an error without a text" },
    /* numbers are doubles */
    { ".", "[12.50,12345678901234567890123,-0,1E400]",
        "[12.5,12345678901234568000000,-0,1.7976931348623157e+308]", NULL },
    { "nan", "0", "null", NULL },
    /* what belongs to the process is not the program's */
    { "env, $ENV | length", "0", NULL, "the program gives more than one value" },
    { "[env, $ENV, env.PATH, $ENV.PATH]", "0", "[{},{},null,null]", NULL },
    { "halt", "0", NULL, "halt" },
    { "halt_error", "\"x\"", NULL, "x" },
    { "\"x\" | halt_error(3)", "0", NULL, "x" },
    { "input", "0", NULL, "there is no further input" },
    { "[inputs]", "0", "[]", NULL },
    { "[stderr, debug]", "1", "[1,1]", NULL },
    { "[input_filename, input_line_number]", "0", "[null,0]", NULL },
    { "[-1] | implode", "0", NULL, "implode wants an array of code points" },
    { "\"a\" | implode", "0", NULL, "implode wants an array of code points" },
    { "[233] | implode", "0", "\"é\"", NULL },
    { "\"a\" | modulemeta", "0", NULL, "there are no modules" },
    { "test(\"^(a|aa)+$\")", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", NULL,
        "Regex failure: retry-limit-in-match over" },
    /* what would crash libjq 1.6, or never end in it */
    { "[index(\"\"), rindex(\"\"), indices(\"\")]", "\"abc\"", "[null,null,[]]", NULL },
    { "[index(\"b\"), rindex(\"b\"), indices(\"b\")]", "\"abcb\"", "[1,3,[1,3]]", NULL },
    { "[index(1), rindex(1), indices(1), indices([1,2]), indices([])]", "[1,2,1]",
        "[0,2,[0,2],[0],[]]", NULL },
    { "todate", "1700000000", "\"2023-11-14T22:13:20Z\"", NULL },
    { "todate", "1700000000123456789", NULL, "seconds are no time" },
    { "strftime(\"%Y\")", "-1e300", NULL, "seconds are no time" },
    { "nan | strflocaltime(\"%Y\")", "0", NULL, "seconds are no time" },
    { "strftime({})", "0", NULL, "the format of a time is a text of at most 4096 bytes" },
    { "[. * 3, 3 * ., . * 0, 2 * 1.5]", "\"ab\"", "[\"ababab\",\"ababab\",null,3]", NULL },
    { "{a: {b: 1}} * .", "{\"a\":{\"c\":2}}", "{\"a\":{\"b\":1,\"c\":2}}", NULL },
    { ". * \"x\"", "1e9", NULL, "a text times 1000000000 is too long" },
    { "[. % -1, 5 % 3, 5.9 % -1.5]", "-9223372036854775808", "[0,2,0]", NULL },
    { ".[1e9] = 1", "null", NULL, "the index 1000000000 is too large" },
    { ".[2147483647] |= 1", "null", NULL, "the index 2147483647 is too large" },
    { "setpath([.]; 1)", "1431655765", NULL, "the index 1431655765 is too large" },
    { ". as $i | null | setpath([$i]; 1)", "1431655765", NULL, "the index 1431655765 is too" },
    { "fromstream([[.], 1])", "1431655765", NULL, "the index 1431655765 is too large" },
    { "fromstream(tostream)", "{\"a\":[1,{\"b\":2}]}", "{\"a\":[1,{\"b\":2}]}", NULL },
    { "[(.a.b = 5), (.c[] += 1), (.c[1:] = [9]), del(.a, .c[0])]", "{\"a\":{\"b\":1},\"c\":[1,2]}",
        "[{\"a\":{\"b\":5},\"c\":[1,2]},{\"a\":{\"b\":1},\"c\":[2,3]},"
        "{\"a\":{\"b\":1},\"c\":[1,9]},{\"c\":[2]}]",
        NULL },
    { "del(.[nan])", "[1,2]", NULL, "nan is no index" },
    { ".[tonumber]", "\"nan\"", NULL, "nan is no number" },
    { "fromjson", "\"[nan]\"", NULL, "nan is no number" },
    { "fromjson", "\"[\\\"nan\\\"]\"", "[\"nan\"]", NULL },
    { "[match(\"\"; \"g\")]", "\"日本\"", "[]", NULL },
    { "[splits(\"x*\")]", "\"日x本\"", "[\"日\",\"本\"]", NULL },
    { "[match(\"日\\\\K\"; \"g\")]", "\"日本\"", NULL, "\\K is not for a search with g" },
    { "[gsub(\"(?<a>b)\"; \"[\\(.a)]\"), gsub(\"\"; \"x\"), sub(\"B\"; \"x\"; \"i\")]", "\"abb\"",
        "[\"a[b][b]\",\"abb\",\"axb\"]", NULL },
    { "[scan(\"[a-z]\"), scan(\"([a-z])([0-9])\")]", "\"a1b2\"",
        "[\"a\",\"b\",[\"a\",\"1\"],[\"b\",\"2\"]]", NULL },
    { "[test(\"B\"; \"i\"), test([\"B\", \"i\"]), test([\"B\"]), test(\"b\")]", "\"b\"",
        "[true,true,false,true]", NULL },
    { "capture(\"(?<x>[a-z])(?<n>[0-9])\")", "\"a1\"", "{\"x\":\"a\",\"n\":\"1\"}", NULL },
    { "test(\"(\" * .)", "9000", NULL, "a pattern may have 200 brackets" },
    { "[(\"a\" * . | scan(\"a\"))] | length", "70000", NULL, "has at most 65536 bytes" },
    { "jn(.; 1)", "1e9", NULL, "the order 1000000000 is too high" },
    /* values nested deeper than any reply may be */
    { "reduce range(300) as $i (0; [.])", "0", NULL, "the program's value is nested too deep" },
    { "reduce range(500) as $i (0; [.]) | 1", "0", "1", NULL },
    { "[\"\\\"<a>\", {\"<\": \"\\\\\"}]", "0", "[\"\\\"<a>\",{\"<\":\"\\\\\"}]", NULL },
};

static void run_one(const struct check *check)
{
    struct arena arena;
    struct str output;
    const char *why = NULL;
    arena_init(&arena);
    struct jq_program *program = compile(check->program, &arena);
    for (int again = 0; again < 2; again++) { /* nothing of a run stays for the next one */
        bool is_good = run(program, str_of(check->input), &arena, &output, &why);
        if (is_good != (check->output != NULL))
            fail_msg("%s: %s", check->program, is_good ? "gives a value" : why);
        if (is_good)
            assert_string_equal(output.at, check->output);
        else if (!strstr(why, check->why))
            fail_msg("%s: %s", check->program, why);
    }
    arena_clear(&arena);
}

static void a_program_gives_one_value_or_says_why_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        run_one(&checks[i]);
}

static void what_is_no_program_is_told_with_its_line(void **state)
{
    static const struct {
        struct str text;
        const char *why;
    } cases[] = {
        { STR(".a | | b"), "syntax error, unexpected '|' in line 1 of the program" },
        { STR("1 |\n foo(1)"), "foo/1 is not defined in line 2 of the program" },
        { STR("$x"), "$x is not defined in line 1 of the program" },
        { STR("("), "syntax error, unexpected $end in line 1 of the program" },
        { STR(""), "the program is empty" },
        { STR(" \n\t"), "the program is empty" },
        { STR("import \"a\" as a; ."), "syntax error, unexpected import in line 1 of the program" },
        { STR("1\0"), "a program has no NUL in it" },
    };
    (void)state;
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = NULL;
        struct jq_program *program = jq_program_new(cases[i].text, &arena, &why);
        if (program) {
            jq_programs_check(&program, 1, &arena);
            why = jq_program_mistake(program);
        }
        assert_string_equal(why, cases[i].why);
    }
    arena_clear(&arena);
}

static void a_program_that_does_not_end_is_stopped(void **state)
{
    (void)state;
    struct arena arena;
    struct str output;
    const char *why = NULL;
    arena_init(&arena);
    struct jq_program *program = compile("if . then until(false; .) else 7 end", &arena);
    assert_int_equal(jq_program_run(program, STR("true"), 0, &arena, &output, &why), JQ_LATE);
    assert_string_equal(why, "the program's time is up");
    long long now_us = log_clock_us();
    long long deadline_us = now_us + 120 * 1000;
    assert_int_equal(
        jq_program_run(program, STR("true"), deadline_us, &arena, &output, &why), JQ_LATE);
    assert_in_range(log_clock_us(), deadline_us, deadline_us + 2000 * 1000);
    assert_true(run(program, STR("false"), &arena, &output, &why));
    assert_string_equal(output.at, "7");
    arena_clear(&arena);
}

static void a_program_that_takes_all_memory_is_stopped(void **state)
{
    static const char *const greedy[] = { "\"x\" * 1e6 | until(false; . + .)",
        "\"x\" * 1e6 | [range(1e9) as $i | . + \"y\"]" };
    (void)state;
    struct arena arena;
    struct str output;
    const char *why = NULL;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof greedy / sizeof *greedy; i++) {
        struct jq_program *program = compile(greedy[i], &arena);
        assert_int_equal(jq_program_run(program, STR("0"), 0, &arena, &output, &why), JQ_FAILED);
        assert_string_equal(why, "the program took more than 256 MiB of memory");
    }
    arena_clear(&arena);
}

static void one_that_was_not_checked_is_compiled_when_it_runs(void **state)
{
    (void)state;
    struct arena arena;
    struct str output;
    const char *why = NULL;
    arena_init(&arena);
    struct jq_program *good = jq_program_new(STR(".a"), &arena, &why);
    struct jq_program *bad = jq_program_new(STR(".a |"), &arena, &why);
    assert_true(run(good, STR("{\"a\":1}"), &arena, &output, &why));
    assert_string_equal(output.at, "1");
    assert_false(run(bad, STR("{\"a\":1}"), &arena, &output, &why));
    assert_string_equal(why, "the program cannot be compiled");
    arena_clear(&arena);
}

static void many_are_checked_each_for_itself(void **state)
{
    enum { COUNT = 9 };
    (void)state;
    struct arena arena;
    struct jq_program *programs[COUNT];
    const char *why = NULL;
    arena_init(&arena);
    for (int i = 0; i < COUNT; i++)
        programs[i] = jq_program_new(i % 3 ? STR(".") : STR("\n($x"), &arena, &why);
    jq_programs_check(programs, COUNT, &arena);
    for (int i = 0; i < COUNT; i++) {
        const char *mistake = jq_program_mistake(programs[i]);
        assert_true(i % 3 ? !mistake : strstr(mistake, "in line 2 of the program") != NULL);
    }
    jq_programs_check(programs, 0, &arena);
    arena_clear(&arena);
}

/* A thread's own input, so that a mix-up would show. */
static void *run_many(void *context)
{
    struct jq_program *program = context;
    struct arena arena;
    char input[64], expected[64];
    arena_init(&arena);
    for (int i = 0; i < RUNS; i++) {
        struct str output;
        const char *why;
        long number = (long)(pthread_self() % 1000003) * RUNS + i;
        snprintf(input, sizeof input, "{\"a\":%ld,\"b\":\"%d\"}", number, i);
        snprintf(expected, sizeof expected, "[%ld,\"%d\",true]", number, i);
        if (!run(program, str_of(input), &arena, &output, &why) || !str_is(output, expected))
            return (void *)1;
        arena_reset(&arena);
    }
    arena_clear(&arena);
    return NULL;
}

static void start_threads(pthread_t *threads, void *(*work)(void *), void *context)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], &attributes, work, context), 0);
    pthread_attr_destroy(&attributes);
}

static void many_threads_run_one_program(void **state)
{
    (void)state;
    struct arena arena;
    pthread_t threads[THREADS];
    unsigned failed = 0;
    arena_init(&arena);
    struct jq_program *program = compile("[.a, .b, (.b | test(\"^[0-9]+$\"))]", &arena);
    start_threads(threads, run_many, program);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed += result != NULL;
    }
    assert_int_equal(failed, 0);
    arena_clear(&arena);
}

/* As deep as lib/json lets a service's reply in, twice: a template may put it deep inside. */
static void *run_deep(void *context)
{
    struct jq_program *program = context;
    struct arena arena;
    struct str output;
    const char *why;
    char input[512];
    memset(input, '[', 250);
    memset(input + 250, ']', 250);
    arena_init(&arena);
    bool is_good = run(program, (struct str){ input, 500 }, &arena, &output, &why) &&
                   str_eq(output, (struct str){ input, 500 });
    memset(input, '[', 300);
    is_good &= !run(program, (struct str){ input, 300 }, &arena, &output, &why);
    arena_clear(&arena);
    return is_good ? NULL : (void *)1;
}

static void nesting_does_not_overflow_a_small_stack(void **state)
{
    (void)state;
    struct arena arena;
    pthread_t threads[THREADS];
    unsigned failed = 0;
    arena_init(&arena);
    struct jq_program *program = compile("walk(.) | tojson | fromjson", &arena);
    start_threads(threads, run_deep, program);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed += result != NULL;
    }
    assert_int_equal(failed, 0);
    arena_clear(&arena);
}

/* Deeper than any input can be, and than the main thread's stack of 8 MiB lets libjq go, by a
 * program's own loop. The last one nests until it is stopped. */
static void a_value_that_a_program_nests_overflows_no_stack(void **state)
{
    static const struct check loops[] = {
        { "reduce range(400000) as $i (null; [.]) | length", "0", "1", NULL },
        { "reduce range(400000) as $i (null; [.])", "0", NULL, "nested too deep" },
        { "until(false; {a: .})", "0", NULL, "more than 256 MiB of memory" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
        run_one(&loops[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_gives_one_value_or_says_why_not),
        cmocka_unit_test(what_is_no_program_is_told_with_its_line),
        cmocka_unit_test(a_program_that_does_not_end_is_stopped),
        cmocka_unit_test(a_program_that_takes_all_memory_is_stopped),
        cmocka_unit_test(one_that_was_not_checked_is_compiled_when_it_runs),
        cmocka_unit_test(many_are_checked_each_for_itself),
        cmocka_unit_test(many_threads_run_one_program),
        cmocka_unit_test(nesting_does_not_overflow_a_small_stack),
        cmocka_unit_test(a_value_that_a_program_nests_overflows_no_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
