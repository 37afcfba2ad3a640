/* jq_program: a jq program, for replies that a template cannot say.
 *
 * The only file that sees libjq. What it compiles into, a state, is good for one run at a time and
 * takes some 20 ms to make, where a run takes a tenth of one: so a program keeps its states and
 * lends them to threads. One is made to check the program, others when several threads ask at the
 * same time, up to a bound; more threads than that would only share the same cores.
 *
 * A program is the operator's, what it works on is not. So it gets neither the environment (which
 * has secrets) nor standard input, writes nothing to standard error, cannot end the process
 * (jq_prelude), and is stopped when it takes too much time or memory (jq_watch). Knows nothing of
 * routes and requests.
 */
#include "jq_program.h"
#include <jq.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include "jq_prelude.h"
#include "jq_stack.h"
#include "jq_watch.h"
#include "lib/buf.h"
#include "lib/crew.h"
#include "lib/log.h"

#define STATES_PER_CORE 2
#define STATES_MAX 64  /* of one program, however many cores there are */
#define THREADS_MAX 16 /* that compile */

/* Of one run, and of waiting for a state. What is not ready by then never will be; and nobody may
 * keep the states for longer from all others. */
#define RUN_SECONDS_MAX 5

struct jq_program {
    const char *text;        /* the file's with ours in front */
    unsigned lines_in_front; /* of it */
    const char *mistake;     /* what jq_programs_check found */
    pthread_mutex_t lock;
    pthread_cond_t came_back;
    unsigned made, made_max;
    unsigned idle_count;
    jq_state *idle[STATES_MAX]; /* the last that came back is lent first: it is in the caches */
};

/* --- compiling --- */

/* Keeps the first message; those behind it follow from it. */
static void note_message(void *data, jv message)
{
    struct buf *first = data;
    if (first && first->len == 0 && jv_get_kind(message) == JV_KIND_STRING)
        buf_text(first, jv_string_value(message));
    jv_free(message);
}

/* "jq: error: syntax error, unexpected '|' (Unix shell quoting issues?) at <top-level>, line 7:"
 * and the line itself, as jq says it, becomes "syntax error, unexpected '|' in line 1 of the
 * program". */
static const char *explain(struct buf *message, unsigned lines_in_front)
{
    static const char place[] = " at <top-level>, line ";
    static const char hint[] = " (Unix shell quoting issues?)";
    struct buf text;
    buf_init(&text, message->arena);
    const char *whole = buf_as_text(message);
    const char *what = strncmp(whole, "jq: error: ", 11) == 0 ? whole + 11 : whole;
    if (strncmp(what, "error: ", 7) == 0)
        what += 7;
    const char *at = strstr(what, place);
    size_t len = at ? (size_t)(at - what) : strcspn(what, "\n");
    const char *quoting = memmem(what, len, hint, sizeof hint - 1);
    buf_add(&text, what, quoting ? (size_t)(quoting - what) : len);
    int line = at ? atoi(at + sizeof place - 1) - (int)lines_in_front : 0;
    if (line > 0)
        buf_printf(&text, " in line %d of the program", line);
    return buf_as_text(&text);
}

/* A state with the program in it, or NULL. jq_init of libjq 1.6 leaves callbacks to chance. */
static jq_state *compile(const char *text, struct buf *message)
{
    jq_state *state = jq_init();
    if (!state)
        return NULL;
    jq_set_nomem_handler(state, NULL, NULL);
    jq_set_input_cb(state, NULL, NULL);
    jq_set_debug_cb(state, NULL, NULL);
    jq_set_error_cb(state, note_message, message);
    if (!jq_compile_args(state, text, jv_object()))
        jq_teardown(&state); /* which sets it to NULL */
    else
        jq_set_error_cb(state, note_message, NULL);
    return state;
}

/* libonig sets itself up at the first regular expression, which must not happen in two threads at
 * once: here it happens before there are threads. */
static void use_regular_expression(jq_state *state)
{
    jq_start(state, jv_string("a"), 0);
    jv_free(jq_next(state));
    jq_teardown(&state);
}

static void init_libraries(void)
{
    jq_watch_init();
    jq_state *state = compile("test(\"a\")", NULL);
    if (state)
        use_regular_expression(state);
}

static unsigned states_max(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long most = cores > 0 ? cores * STATES_PER_CORE : STATES_PER_CORE;
    return most < STATES_MAX ? (unsigned)most : STATES_MAX;
}

static void release(void *thing)
{
    struct jq_program *program = thing;
    for (unsigned i = 0; i < program->idle_count; i++)
        jq_teardown(&program->idle[i]);
    pthread_cond_destroy(&program->came_back);
    pthread_mutex_destroy(&program->lock);
}

static struct jq_program *new_program(struct str text, struct arena *arena)
{
    struct jq_program *program = arena_zero(arena, sizeof *program);
    struct buf whole;
    buf_init(&whole, arena);
    program->lines_in_front = jq_prelude_write(&whole, text);
    buf_str(&whole, text);
    program->text = buf_as_text(&whole);
    program->made_max = states_max();
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&program->came_back, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&program->lock, NULL);
    arena_at_end(arena, release, program);
    return program;
}

static bool is_blank(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n", text.at[i]))
            return false;
    return true;
}

struct jq_program *jq_program_new(struct str text, struct arena *arena, const char **why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_libraries);
    *why = NULL;
    if (str_has(text, '\0'))
        *why = "a program has no NUL in it";
    else if (is_blank(text)) /* jq would take it for ".", but hardly anybody means that */
        *why = "the program is empty";
    return *why ? NULL : new_program(text, arena);
}

/* --- checking many --- */

/* What the threads that compile share. */
struct check {
    struct jq_program *const *programs;
    const char **mistakes; /* from malloc, one for each */
    unsigned count;
    atomic_uint next;
};

static void check_one(struct check *check, unsigned index, struct arena *arena)
{
    struct jq_program *program = check->programs[index];
    struct buf message;
    buf_init(&message, arena);
    jq_state *state = compile(program->text, &message);
    if (state) {
        program->made = program->idle_count = 1;
        program->idle[0] = state;
    } else
        check->mistakes[index] = strdup(explain(&message, program->lines_in_front));
    arena_reset(arena);
}

static void *check_some(void *context)
{
    struct check *check = context;
    struct arena arena;
    unsigned index;
    arena_init(&arena);
    while ((index = atomic_fetch_add(&check->next, 1)) < check->count)
        check_one(check, index, &arena);
    arena_clear(&arena);
    return NULL;
}

/* The calling thread takes part, so it is done also where no other can be had. */
static void check_all(struct check *check)
{
    pthread_t threads[THREADS_MAX];
    unsigned started = 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    while (started < THREADS_MAX && started + 1 < check->count && (long)started + 1 < cores &&
           pthread_create(&threads[started], NULL, check_some, check) == 0)
        started++;
    check_some(check);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

void jq_programs_check(struct jq_program *const *programs, unsigned count, struct arena *arena)
{
    struct check check = { .programs = programs, .count = count };
    check.mistakes = arena_zero(arena, count * sizeof *check.mistakes);
    check_all(&check);
    for (unsigned i = 0; i < count; i++) {
        const char *mistake = check.mistakes[i];
        if (mistake)
            programs[i]->mistake = arena_copy(arena, mistake, strlen(mistake));
        free((char *)mistake);
    }
}

const char *jq_program_mistake(const struct jq_program *program)
{
    return program->mistake;
}

/* --- running --- */

static jq_state *make_one(struct jq_program *program)
{
    jq_state *state = compile(program->text, NULL);
    if (!state) {
        pthread_mutex_lock(&program->lock);
        program->made--;
        pthread_mutex_unlock(&program->lock);
    }
    return state;
}

/* A state for this thread alone, or NULL where none came back in time or could be made. */
static jq_state *borrow(struct jq_program *program, long long until_us)
{
    jq_state *state = NULL;
    struct timespec end = { until_us / 1000000, until_us % 1000000 * 1000 };
    int error = 0;
    pthread_mutex_lock(&program->lock);
    while (program->idle_count == 0 && program->made == program->made_max && !error)
        error = pthread_cond_timedwait(&program->came_back, &program->lock, &end);
    bool makes_one = program->idle_count == 0 && program->made < program->made_max;
    if (program->idle_count > 0)
        state = program->idle[--program->idle_count];
    else
        program->made += makes_one;
    pthread_mutex_unlock(&program->lock);
    return makes_one ? make_one(program) : state;
}

static void give_back(struct jq_program *program, jq_state *state)
{
    pthread_mutex_lock(&program->lock);
    program->idle[program->idle_count++] = state;
    pthread_cond_signal(&program->came_back);
    pthread_mutex_unlock(&program->lock);
}

/* The text of a jv, which is freed, in the arena. */
static struct str take_text(jv value, struct arena *arena)
{
    jv text = jv_get_kind(value) == JV_KIND_STRING ? value : jv_dump_string(value, 0);
    size_t len = (size_t)jv_string_length_bytes(jv_copy(text));
    struct str copy = { arena_copy(arena, jv_string_value(text), len), len };
    jv_free(text);
    return copy;
}

/* libjq leaves out what is nested too deep, and writes a note in '<' and '>' there. In JSON these
 * stand in strings only. */
static bool is_whole(struct str output)
{
    bool in_string = false;
    if (!str_has(output, '<'))
        return true;
    for (size_t i = 0; i < output.len; i++) {
        if (output.at[i] == '"')
            in_string = !in_string;
        else if (output.at[i] == '\\')
            i++;
        else if (output.at[i] == '<' && !in_string)
            return false;
    }
    return true;
}

/* What jq says of a value that is none, which is freed; NULL where it only says that it was the
 * last. */
static const char *take_error(jv invalid, struct arena *arena)
{
    jv message = jv_invalid_get_msg(invalid);
    if (jv_get_kind(message) == JV_KIND_NULL) /* needs no freeing */
        return NULL;
    struct str text = take_text(message, arena);
    return text.len > 0 ? text.at : "an error without a text";
}

/* Takes all values that the program gives, which should be one. NULL, or why there is no output. */
static const char *take_output(jq_state *state, struct arena *arena, struct str *output)
{
    jv first = jq_next(state);
    if (!jv_is_valid(first)) {
        const char *error = take_error(first, arena);
        return error ? error : "the program gives no value";
    }
    jv second = jq_next(state);
    const char *error = NULL;
    if (jv_is_valid(second)) {
        jv_free(second);
        error = "the program gives more than one value";
    } else
        error = take_error(second, arena);
    if (error) {
        jv_free(first);
        return error;
    }
    *output = take_text(jv_dump_string(first, 0), arena);
    return is_whole(*output) ? NULL : "the program's value is nested too deep";
}

/* libjq looks before every instruction whether it was halted. */
static void halt(void *state)
{
    if (!jq_halted(state))
        jq_halt(state, jv_invalid(), jv_invalid());
}

/* What the run has left goes, and what can go back to the system does. */
static enum jq_outcome judge(jq_state *state, enum jq_watch_end end, const char **why)
{
    if (end == JQ_WATCH_UNTOUCHED)
        return *why ? JQ_FAILED : JQ_DONE;
    jq_start(state, jv_null(), 0);
    *why = "the program's time is up";
    if (end == JQ_WATCH_TIME)
        return JQ_LATE;
    malloc_trim(0);
    *why = "the program took more than " STR_NUMBER(JQ_GROWTH_MIB) " MiB of memory";
    return JQ_FAILED;
}

/* One run: what jq_stack_call gets. */
struct run {
    jq_state *state;
    struct str input;
    long long until_us;
    struct arena *arena;
    struct str *output;
    const char **why;
    enum jq_outcome outcome;
};

static enum jq_outcome run(jq_state *state, struct str input, long long until_us,
    struct arena *arena, struct str *output, const char **why)
{
    struct jq_watch watch;
    *why = "the input is longer than jq can take";
    if (input.len > INT_MAX)
        return JQ_FAILED;
    jv value = jv_parse_sized(input.at, (int)input.len);
    if (!jv_is_valid(value)) {
        *why = take_error(value, arena);
        *why = *why ? *why : "the input is empty";
        return JQ_FAILED;
    }
    jq_start(state, value, 0);
    *why = "there is no timer to be had";
    if (!jq_watch_start(&watch, until_us, halt, state))
        return JQ_FAILED;
    *why = take_output(state, arena, output);
    return judge(state, jq_watch_stop(&watch), why);
}

static void run_on_stack(void *context)
{
    struct run *self = context;
    self->outcome =
        run(self->state, self->input, self->until_us, self->arena, self->output, self->why);
    jq_start(self->state, jv_null(), 0); /* lets go of what the run has left */
}

enum jq_outcome jq_program_run(struct jq_program *program, struct str input, long long deadline_us,
    struct arena *arena, struct str *output, const char **why)
{
    crew_take_thread(); /* it computes, and may wait for another run to end */
    long long until_us = log_clock_us() + RUN_SECONDS_MAX * 1000000LL;
    if (deadline_us && deadline_us < until_us)
        until_us = deadline_us;
    jq_state *state = borrow(program, until_us);
    if (!state) {
        bool is_late = log_clock_us() >= until_us;
        *why = is_late ? "no copy of the program became free in time"
                       : "the program cannot be compiled";
        return is_late ? JQ_LATE : JQ_FAILED;
    }
    struct run it = { state, input, until_us, arena, output, why, JQ_FAILED };
    jq_stack_call(run_on_stack, &it);
    give_back(program, state);
    return it.outcome;
}
