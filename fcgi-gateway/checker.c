/* checker: asks servers after their health, again and again, where the file says so
 * (health.interval).
 *
 * One thread for all servers: its calls run side by side. When another configuration comes into use
 * it gives up what is under way and begins with that one. What a check's result means is server.c's
 * business.
 */
#include "checker.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include "attempt.h"
#include "lib/log.h"
#include "pace.h"

/* How soon it sees that another configuration is in use. */
#define LOOK_US 500000

#define STACK_SIZE (256 * 1024) /* as of the threads that serve */

/* One server. */
struct check {
    struct call call; /* first: the two are cast into each other */
    struct arena arena;
    int interval_ms;
    long long due_us;
    bool is_under_way;
};

struct checker {
    struct live *live;
    struct caller *caller;
    struct live_slot *slot, *look; /* what it uses; what is in use */
    struct check *checks;
    unsigned count;
    unsigned short seed[3];
    pthread_mutex_t lock; /* of is_running */
    bool is_running;
    pthread_t thread;
    atomic_bool is_stopping;
};

/* --- the servers of one configuration --- */

static unsigned count_checks(const struct config *config)
{
    unsigned count = 0;
    for (unsigned i = 0; i < config->upstream_count; i++)
        if (config->upstreams[i].check_interval_ms)
            count += (unsigned)config->upstreams[i].server_count;
    return count;
}

static void add_check(struct checker *self, const struct upstream *upstream, int server)
{
    struct check *check = &self->checks[self->count++];
    arena_init(&check->arena);
    check->interval_ms = upstream->check_interval_ms;
    check->due_us = log_clock_us() + (long long)(erand48(self->seed) * check->interval_ms * 1000LL);
    check->call = (struct call){
        .upstream = upstream,
        .method = "GET",
        .target = upstream->health_path,
        .timeout_ms = upstream->health_timeout_ms,
        .reply_max = CALL_HEALTH_MAX,
        .arena = &check->arena,
        .only_server = server + 1,
    };
}

static void add_checks(struct checker *self, const struct config *config)
{
    self->count = 0;
    self->checks = calloc(count_checks(config) + 1, sizeof *self->checks);
    if (!self->checks)
        abort(); /* as the arena does */
    for (unsigned i = 0; i < config->upstream_count; i++)
        for (int server = 0; server < config->upstreams[i].server_count; server++)
            if (config->upstreams[i].check_interval_ms)
                add_check(self, &config->upstreams[i], server);
}

static void drop_checks(struct checker *self)
{
    caller_cancel(self->caller);
    for (unsigned i = 0; i < self->count; i++)
        arena_clear(&self->checks[i].arena);
    free(self->checks);
    self->checks = NULL;
}

/* --- checking --- */

/* Starts what is due; returns when the next one will be. */
static long long start_due(struct checker *self)
{
    long long now_us = log_clock_us(), next_us = now_us + LOOK_US;
    for (unsigned i = 0; i < self->count; i++) {
        struct check *check = &self->checks[i];
        if (!check->is_under_way && check->due_us <= now_us) {
            check->due_us =
                now_us + pace_interval(check->interval_ms * 1000LL, erand48(self->seed));
            check->is_under_way = true;
            caller_start(self->caller, &check->call);
        }
        if (!check->is_under_way && check->due_us < next_us)
            next_us = check->due_us;
    }
    return next_us;
}

static void take_result(struct check *check)
{
    const struct call *call = &check->call;
    bool is_good = call->outcome == CALL_OK && call->status >= 200 && call->status < 300;
    attempt_check(call->upstream, call->only_server - 1, is_good);
    arena_reset(&check->arena);
    check->is_under_way = false;
}

static bool is_in_use(struct checker *self, const struct config *config)
{
    bool is_same = live_take(self->look) == config;
    live_release(self->look);
    return is_same;
}

static void *run(void *argument)
{
    struct checker *self = argument;
    while (!atomic_load(&self->is_stopping)) {
        const struct config *config = live_take(self->slot);
        add_checks(self, config);
        while (!atomic_load(&self->is_stopping) && is_in_use(self, config)) {
            struct call *ended = caller_next_until(self->caller, start_due(self));
            if (ended)
                take_result((struct check *)ended);
        }
        drop_checks(self);
        live_release(self->slot);
    }
    return NULL;
}

/* --- the thread --- */

struct checker *checker_new(struct live *live)
{
    struct checker *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->live = live;
    if (getrandom(self->seed, sizeof self->seed, GRND_NONBLOCK) < 0)
        self->seed[0] = (unsigned short)log_clock_us();
    pthread_mutex_init(&self->lock, NULL);
    self->caller = caller_new();
    self->slot = live_join(live);
    self->look = live_join(live);
    if (self->caller && self->slot && self->look)
        return self;
    checker_free(self);
    return NULL;
}

/* Signals are for the other threads. Without a thread nothing is checked, and that is logged. */
static bool start_thread(struct checker *self)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&self->thread, &attributes, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error)
        log_event("no thread for health checks: %s", strerrordesc_np(error));
    return error == 0;
}

void checker_run(struct checker *self, const struct config *config)
{
    if (count_checks(config) == 0)
        return;
    pthread_mutex_lock(&self->lock);
    if (!self->is_running)
        self->is_running = start_thread(self);
    pthread_mutex_unlock(&self->lock);
}

void checker_free(struct checker *self)
{
    if (!self)
        return;
    if (self->is_running) {
        atomic_store(&self->is_stopping, true);
        caller_wake(self->caller);
        pthread_join(self->thread, NULL);
    }
    caller_free(self->caller);
    if (self->slot)
        live_leave(self->slot);
    if (self->look)
        live_leave(self->look);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
