/* jq_program: a jq program, for replies that a template cannot say.
 *
 * The only file that sees libjq. What it compiles into, a state, is good for one run at a time and
 * takes some 18 ms to make, where a run takes a tenth of one: so a program keeps its states and
 * lends them to threads. One is made when the file is read, others when several threads ask at the
 * same time, up to a bound; more threads than that would only share the same cores.
 *
 * A program is the operator's, what it works on is not. So it gets neither the environment (which
 * has secrets) nor standard input, writes nothing to standard error, cannot end the process, and is
 * stopped after a while. Knows nothing of routes and requests.
 */
#include "jq_program.h"
#include <jq.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/buf.h"

#define STATES_PER_CORE 2
#define STATES_MAX 64 /* of one program, however many cores there are */

/* Of one run, and of waiting for a state. What is not ready by then never will be; and nobody may
 * keep the states for longer from all others. */
#define RUN_SECONDS_MAX 5

/* Stands in front of every program, in LINES_IN_FRONT lines. `debug` is harmless without a
 * callback, and `input` ends with an error. input_filename and input_line_number would fail an
 * assertion of libjq 1.6, and so would `implode` with anything but code points. `import` must stand
 * first in a program, so it is a mistake now. */
static const char in_front[] =
    "def env: {}; def stderr: .; def modulemeta: error(\"there are no modules\");\n"
    "def input: error(\"there is no further input\"); def inputs: empty;\n"
    "def input_filename: null; def input_line_number: 0;\n"
    "def halt: error(\"halt\"); def halt_error: error; def halt_error(code): error;\n"
    "def libjq_implode: implode;\n"
    "def implode: if type == \"array\" and all(.[]; type == \"number\" and . >= 0)\n"
    "  then libjq_implode else error(\"implode wants an array of code points\") end;\n"
    "{} as $ENV |\n";
#define LINES_IN_FRONT 8

struct jq_program {
    const char *text; /* the file's with ours in front */
    pthread_mutex_t lock;
    pthread_cond_t came_back;
    unsigned made, made_max;
    unsigned idle_count;
    jq_state *idle[STATES_MAX]; /* the last that came back is lent first: it is in the caches */
};

/* --- stopping a run that does not end --- */

#define STOP_SIGNAL SIGALRM /* nobody else in the program uses it */

/* The run of this thread; a signal handler has no other way to know. */
static _Thread_local jq_state *running;

/* libjq looks before every instruction whether it was halted. */
static void on_stop(int number)
{
    (void)number;
    if (running && !jq_halted(running))
        jq_halt(running, jv_invalid(), jv_invalid());
}

/* Sends the signal to this thread when its time is up. False where there is no timer to be had. */
static bool start_clock(timer_t *timer, jq_state *state)
{
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = STOP_SIGNAL };
    struct itimerspec limit = { .it_value = { .tv_sec = RUN_SECONDS_MAX } };
    event._sigev_un._tid = gettid(); /* glibc 2.36 has no name for it */
    if (timer_create(CLOCK_MONOTONIC, &event, timer) < 0)
        return false;
    running = state;
    timer_settime(*timer, 0, &limit, NULL);
    return true;
}

static void stop_clock(timer_t timer)
{
    running = NULL;
    timer_delete(timer);
}

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
static const char *explain(struct buf *message)
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
    int line = at ? atoi(at + sizeof place - 1) - LINES_IN_FRONT : 0;
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
    struct sigaction action = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(STOP_SIGNAL, &action, NULL);
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

static struct jq_program *new_program(const char *text, jq_state *first, struct arena *arena)
{
    struct jq_program *program = arena_zero(arena, sizeof *program);
    program->text = text;
    program->made_max = states_max();
    program->made = program->idle_count = 1;
    program->idle[0] = first;
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
    struct buf whole, message;
    pthread_once(&once, init_libraries);
    if (str_has(text, '\0')) {
        *why = "a program has no NUL in it";
        return NULL;
    }
    if (is_blank(text)) { /* jq would take it for ".", but hardly anybody means that */
        *why = "the program is empty";
        return NULL;
    }
    buf_init(&whole, arena);
    buf_init(&message, arena);
    buf_text(&whole, in_front);
    buf_str(&whole, text);
    const char *whole_text = buf_as_text(&whole);
    jq_state *state = compile(whole_text, &message);
    if (state)
        return new_program(whole_text, state, arena);
    *why = explain(&message);
    return NULL;
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

/* A state for this thread alone, or NULL where none came back in time. */
static jq_state *borrow(struct jq_program *program)
{
    jq_state *state = NULL;
    struct timespec end;
    int error = 0;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += RUN_SECONDS_MAX;
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
    jq_start(state, jv_null(), 0); /* lets go of what the run has left */
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

static const char *run(jq_state *state, struct str input, struct arena *arena, struct str *output)
{
    timer_t timer;
    if (input.len > INT_MAX)
        return "the input is longer than jq can take";
    jv value = jv_parse_sized(input.at, (int)input.len);
    if (!jv_is_valid(value)) {
        const char *error = take_error(value, arena);
        return error ? error : "the input is empty";
    }
    jq_start(state, value, 0);
    if (!start_clock(&timer, state))
        return "there is no timer to be had";
    const char *error = take_output(state, arena, output);
    stop_clock(timer);
    if (jq_halted(state))
        return "the program ran for longer than " STR_NUMBER(RUN_SECONDS_MAX) " seconds";
    return error;
}

bool jq_program_run(struct jq_program *program, struct str input, struct arena *arena,
    struct str *output, const char **why)
{
    jq_state *state = borrow(program);
    if (!state) {
        *why = "no copy of the program became free in " STR_NUMBER(RUN_SECONDS_MAX) " seconds";
        return false;
    }
    *why = run(state, input, arena, output);
    give_back(program, state);
    return !*why;
}
