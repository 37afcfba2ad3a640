/* gateway_outage: all rules for sick upstreams together, in simulated time: what an outage costs.
 *
 * Servers that die, hang, flap or fail under calls that come by chance; the numbers that a caller
 * and the service would see are held against bounds. Prints them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fcgi-gateway/balance.h"
#include "fcgi-gateway/breaker.h"
#include "fcgi-gateway/bulkhead.h"
#include "fcgi-gateway/pace.h"
#include "fcgi-gateway/retry.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define SECOND 1000000LL
#define MS 1000LL

#define CALLS_PER_SECOND 200
#define LATENCY_US (10 * MS) /* 2 to 10 ms, evenly */
#define REFUSAL_US 200
#define ATTEMPT_US SECOND /* a call's timeout, and a check's */
#define DEADLINE_US (3 * SECOND)
#define CHECK_US SECOND
#define FLAP_US (700 * MS)
#define SICK_FROM_US (5 * SECOND)
#define SICK_UNTIL_US (20 * SECOND)
#define END_US (30 * SECOND)

enum { SERVERS = 3, SEEDS = 3, REQUESTS_AT_ONCE = 300 };

enum ailment { FINE, DEAD, HANGING, FAILING, FLAPPING };

enum figure {
    FAILED,     /* requests of the outage's time without a 200, in thousands */
    SICK_CALLS, /* to each sick server in that time */
    RETRIES,    /* in percent of the other calls */
    HEALED,     /* ms from the outage's end until the last failure */
    BACK,       /* ms from there until every server that was sick has answered a call */
    INSIDE,     /* calls at once */
    FIGURES
};

struct scenario {
    const char *name;
    int servers, sick;
    enum ailment ailment;
    bool is_checked;
    const char *method;
    int most[FIGURES - 1]; /* INSIDE has the bulkhead's bound */
};

enum step { UNUSED, QUEUED, CALLING, PAUSING };

struct request {
    struct bulkhead_waiter waiter; /* first: a pointer to it is one to the request */
    enum step step;
    long long due_us, deadline_us, started_us; /* of the attempt */
    struct breaker_ticket ticket;
    uint64_t tried, key;
    int attempts, server;
    enum retry_outcome outcome;
    int status;
};

struct world {
    const struct scenario *scenario;
    struct balance_settings balance;
    struct server servers[SERVERS];
    struct server *pointers[SERVERS];
    struct breaker breaker;
    struct bulkhead bulkhead;
    struct retry_budget budget;
    struct request requests[REQUESTS_AT_ONCE];
    long long now_us, arrival_us, check_us[SERVERS];
    uint64_t seed;
    /* What is measured. */
    int calls, retries, during, failed_during, sick_calls, most_inside;
    long long last_failure_us, back_us[SERVERS];
};

static const struct bulkhead_settings places = { .concurrent_max = 100, .queue_max = 50 };
static struct world world;

static double draw(void)
{
    world.seed = world.seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(world.seed >> 11) / 9007199254740992.0;
}

static struct server_list server_list(void)
{
    return (struct server_list){ world.pointers, world.scenario->servers };
}

static bool is_outage(long long at_us)
{
    return at_us >= SICK_FROM_US && at_us < SICK_UNTIL_US;
}

static enum ailment ailment_at(int server, long long at_us)
{
    if (server >= world.scenario->sick || !is_outage(at_us))
        return FINE;
    if (world.scenario->ailment == FLAPPING)
        return (at_us - SICK_FROM_US) / FLAP_US % 2 == 0 ? DEAD : FINE;
    return world.scenario->ailment;
}

/* What the service does with a call that begins now. */
static void send_call(struct request *request)
{
    long long took_us = (long long)(LATENCY_US * (0.2 + 0.8 * draw()));
    enum ailment ailment = ailment_at(request->server, world.now_us);
    request->outcome = RETRY_REPLY;
    request->status = 200;
    if (ailment == DEAD) {
        request->outcome = RETRY_NOT_SENT;
        took_us = REFUSAL_US;
    } else if (ailment == HANGING) {
        request->outcome = RETRY_BROKEN;
        took_us = ATTEMPT_US;
    } else if (ailment == FAILING) {
        request->status = 503;
    } else if (ailment_at(request->server, world.now_us + took_us) == DEAD) {
        request->outcome = RETRY_BROKEN;
    }
    request->step = CALLING;
    request->started_us = world.now_us;
    request->due_us = world.now_us + took_us;
    world.sick_calls += request->server < world.scenario->sick && is_outage(world.now_us);
}

static void finish(struct request *request, bool is_good)
{
    request->step = UNUSED;
    world.failed_during += !is_good && is_outage(request->deadline_us - DEADLINE_US);
    if (!is_good)
        world.last_failure_us = world.now_us;
}

/* From here on: what the edge does, under one lock per upstream. */

/* False where a rule is against it. */
static bool start_call(struct request *request)
{
    struct balance_question question = { .key = request->key, .tried = request->tried };
    question.is_unsafe = !retry_is_safe(str_of(world.scenario->method));
    request->ticket =
        breaker_ask(&world.breaker, &breaker_defaults, question.is_unsafe, world.now_us, draw());
    if (request->ticket.as == BREAKER_REFUSED)
        return false;
    question.must_try = request->ticket.as == BREAKER_PROBE;
    for (int i = 0; i < BALANCE_DRAWS; i++)
        question.draws[i] = draw();
    request->server = balance_choose(&world.balance, server_list(), &question, world.now_us);
    if (request->server < 0) {
        breaker_forget(&world.breaker, request->ticket);
        return false;
    }
    server_begin(&world.servers[request->server], &world.balance.servers, world.now_us);
    request->tried |= 1ULL << request->server;
    world.calls++;
    world.retries += request->attempts > 0;
    if (request->attempts++ == 0)
        retry_budget_call(&world.budget, &retry_defaults);
    send_call(request);
    return true;
}

static void come_in(struct request *request)
{
    if (start_call(request))
        return;
    finish(request, false);
    bulkhead_leave(&world.bulkhead);
}

static void want_place(struct request *request)
{
    if (breaker_state_at(&world.breaker, &breaker_defaults, world.now_us) == BREAKER_OPEN) {
        finish(request, false);
        return;
    }
    request->step = QUEUED;
    request->due_us = request->deadline_us;
    bulkhead_enter(&world.bulkhead, &places, &request->waiter);
    if (request->waiter.place == BULKHEAD_IN)
        come_in(request);
    else if (request->waiter.place == BULKHEAD_REFUSED)
        finish(request, false);
    if (world.bulkhead.inside > world.most_inside)
        world.most_inside = world.bulkhead.inside;
}

/* Of attempts that others follow the breaker hears nothing. */
static void judge(struct request *request, bool is_good, bool is_repeated)
{
    long long *back_us = &world.back_us[request->server];
    struct server_result result = { request->started_us, world.now_us - request->started_us,
        is_good };
    enum breaker_end end = is_good                        ? BREAKER_GOOD
                           : result.took_us >= ATTEMPT_US ? BREAKER_SILENT
                                                          : BREAKER_FAILED;
    server_end(&world.servers[request->server], &world.balance.servers, server_list(), result,
        world.now_us);
    if (is_good && *back_us == 0 && request->started_us >= SICK_UNTIL_US)
        *back_us = world.now_us;
    if (is_repeated)
        breaker_forget(&world.breaker, request->ticket);
    else
        breaker_tell(&world.breaker, &breaker_defaults, request->ticket, end, world.now_us);
}

static void end_call(struct request *request)
{
    bool is_good = request->outcome == RETRY_REPLY && request->status == 200;
    struct retry_question question = {
        .method = str_of(world.scenario->method),
        .outcome = request->outcome,
        .status = request->status,
        .attempts = request->attempts,
        .deadline_us = request->deadline_us,
        .draw = draw(),
    };
    struct retry_answer answer = { .verdict = RETRY_NO_NEED };
    struct bulkhead_waiter *next;
    if (!is_good && request->ticket.as != BREAKER_PROBE)
        answer = retry_decide(&retry_defaults, &world.budget, &question, world.now_us);
    judge(request, is_good, answer.verdict == RETRY_YES);
    request->step = PAUSING;
    request->due_us = world.now_us + answer.pause_us;
    if (answer.verdict != RETRY_YES)
        finish(request, is_good);
    bulkhead_leave(&world.bulkhead);
    while ((next = bulkhead_next(&world.bulkhead, &places)))
        come_in((struct request *)next);
}

static void arrive(void)
{
    struct request *request = world.requests;
    world.arrival_us += (long long)(2 * draw() * SECOND / CALLS_PER_SECOND);
    world.during += is_outage(world.now_us);
    while (request->step != UNUSED)
        assert_true(++request < world.requests + REQUESTS_AT_ONCE);
    *request = (struct request){
        .key = (uint64_t)(draw() * 1e9),
        .deadline_us = world.now_us + DEADLINE_US,
    };
    want_place(request);
}

static void go_on(struct request *request)
{
    if (request->step == CALLING)
        end_call(request);
    else if (request->step == PAUSING)
        want_place(request);
    else if (bulkhead_cancel(&world.bulkhead, &request->waiter))
        finish(request, false);
}

/* One that hangs is bad at its end only; that it is known at its begin changes little. */
static void check(int server)
{
    enum ailment ailment = ailment_at(server, world.now_us);
    server_check(&world.servers[server], &world.balance.servers, ailment == FINE, world.now_us);
    world.check_us[server] +=
        pace_interval(CHECK_US, draw()) + (ailment == HANGING ? ATTEMPT_US : 0);
}

/* Does what is due next, and lets the time pass until then. */
static void step(void)
{
    struct request *next = NULL;
    int check_next = -1;
    world.now_us = world.arrival_us;
    for (int i = 0; i < world.scenario->servers && world.scenario->is_checked; i++)
        if (world.check_us[i] < world.now_us) {
            world.now_us = world.check_us[i];
            check_next = i;
        }
    for (struct request *request = world.requests; request < world.requests + REQUESTS_AT_ONCE;
         request++)
        if (request->step != UNUSED && request->due_us <= world.now_us) {
            world.now_us = request->due_us;
            next = request;
        }
    if (next)
        go_on(next);
    else if (check_next >= 0)
        check(check_next);
    else
        arrive();
}

static void begin(const struct scenario *scenario, enum balance_kind kind, uint64_t seed)
{
    world = (struct world){
        .scenario = scenario,
        .balance = { kind, server_defaults },
        .seed = seed * 7919,
        .last_failure_us = SICK_UNTIL_US,
    };
    retry_budget_init(&world.budget);
    for (int i = 0; i < SERVERS; i++) {
        world.pointers[i] = &world.servers[i];
        server_init(&world.servers[i], 1, balance_hash((struct str){ (char *)&i, sizeof i }));
        world.check_us[i] = (long long)(draw() * CHECK_US);
    }
}

static int ms_after(long long at_us)
{
    return (int)((at_us - SICK_UNTIL_US) / MS);
}

static void measure(int *worst)
{
    int figures[FIGURES] = {
        [FAILED] = world.failed_during * 1000 / world.during,
        [SICK_CALLS] = world.sick_calls / world.scenario->sick,
        [RETRIES] = world.retries * 100 / (world.calls - world.retries),
        [HEALED] = ms_after(world.last_failure_us),
        [INSIDE] = world.most_inside,
    };
    for (int i = 0; i < world.scenario->sick; i++) {
        int back = ms_after(world.back_us[i] ? world.back_us[i] : END_US);
        figures[BACK] = back > figures[BACK] ? back : figures[BACK];
    }
    for (int i = 0; i < FIGURES; i++)
        worst[i] = figures[i] > worst[i] ? figures[i] : worst[i];
}

/* All kinds of balancing and all seeds: the worst counts. */
static void play(const struct scenario *scenario)
{
    int worst[FIGURES] = { 0 };
    for (int kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_HASH; kind++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            begin(scenario, (enum balance_kind)kind, seed);
            while (world.now_us < END_US)
                step();
            measure(worst);
        }
    print_message("# %-30s failed %4d/1000, calls to each sick %3d, retries %2d %%, "
                  "healed %4d ms, back %4d ms, at once %3d\n",
        scenario->name, worst[FAILED], worst[SICK_CALLS], worst[RETRIES], worst[HEALED],
        worst[BACK], worst[INSIDE]);
    for (int i = 0; i < INSIDE; i++)
        if (worst[i] > scenario->most[i])
            fail_msg("%s: figure %d is %d", scenario->name, i, worst[i]);
    assert_in_range(worst[INSIDE], 1, places.concurrent_max);
}

static void play_all(const struct scenario *scenarios, size_t count)
{
    for (size_t i = 0; i < count; i++)
        play(&scenarios[i]);
}

static void a_sick_server_is_hardly_seen(void **state)
{
    static const struct scenario scenarios[] = {
        { "one of three dies", 3, 1, DEAD, true, "GET", { 0, 20, 1, 0, 2500 } },
        { "one of three dies, no checks", 3, 1, DEAD, false, "GET", { 0, 20, 1, 0, 2500 } },
        { "one of three dies, POST", 3, 1, DEAD, false, "POST", { 0, 20, 1, 0, 2500 } },
        { "one of three hangs", 3, 1, HANGING, true, "GET", { 15, 100, 2, 0, 3000 } },
        { "one of three hangs, no checks", 3, 1, HANGING, false, "GET", { 15, 100, 2, 0, 3000 } },
        { "one of three hangs, POST", 3, 1, HANGING, false, "POST", { 35, 100, 0, 1000, 3000 } },
        { "one of three flaps", 3, 1, FLAPPING, true, "GET", { 1, 200, 2, 0, 3000 } },
        { "one of three fails", 3, 1, FAILING, false, "GET", { 0, 20, 1, 0, 3000 } },
        { "one of two hangs, no checks", 2, 1, HANGING, false, "GET", { 25, 150, 2, 0, 3000 } },
        { "two of three die", 3, 2, DEAD, true, "GET", { 75, 160, 5, 0, 3000 } },
        { "two of three die, no checks", 3, 2, DEAD, false, "GET", { 330, 900, 20, 0, 3000 } },
        { "two of three hang", 3, 2, HANGING, true, "GET", { 150, 350, 10, 0, 3000 } },
    };
    (void)state;
    play_all(scenarios, COUNT(scenarios));
}

static void a_sick_service_is_asked_little_and_back_soon(void **state)
{
    static const struct scenario scenarios[] = {
        { "all three die", 3, 3, DEAD, true, "GET", { 1000, 40, 2, 1500, 3000 } },
        { "all three die, no checks", 3, 3, DEAD, false, "GET", { 1000, 40, 2, 1500, 3000 } },
        { "all three hang", 3, 3, HANGING, true, "GET", { 1000, 110, 2, 2500, 3000 } },
        { "all three fail", 3, 3, FAILING, true, "GET", { 1000, 40, 2, 1500, 3000 } },
        { "all three flap", 3, 3, FLAPPING, true, "GET", { 1000, 350, 12, 1500, 3000 } },
        { "the only one dies", 1, 1, DEAD, false, "GET", { 1000, 100, 2, 1500, 1500 } },
        { "the only one hangs", 1, 1, HANGING, false, "GET", { 1000, 320, 2, 2500, 1500 } },
    };
    (void)state;
    play_all(scenarios, COUNT(scenarios));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sick_server_is_hardly_seen),
        cmocka_unit_test(a_sick_service_is_asked_little_and_back_soon),
    };

    return cmocka_run_group_tests_name("gateway/outage", tests, NULL, NULL);
}
