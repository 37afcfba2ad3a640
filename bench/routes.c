/* routes: what a thousand routes cost, against ten.
 *
 *   routes          matching alone, in this process
 *   routes COUNT    writes a gateway.json with so many routes, for bench/routes.sh
 *   routes --requests COUNT    writes requests for all of them, "METHOD /path" each
 *
 * Tables are as APIs are: resources with ten routes each, fixed, typed, untyped and with a tail.
 * All tables get the same number of different requests, from equally many places of memory, in the
 * same order of kinds: what differs is the table alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "lib/route.h"

#define FEW 10
#define MANY 1000
#define KINDS 10 /* of routes of one resource */
#define ROUNDS 1001
#define REQUESTS 1000     /* different ones, see above */
#define REPEATS 2         /* of all of them in a round: a millisecond, so that few are disturbed */
#define PERCENT_ALLOWED 5 /* that many may cost more than few */

struct kind {
    const char *method, *pattern, *path; /* behind the resource's own */
};

static const struct kind kinds[KINDS] = {
    { "GET", "", "" },
    { "POST", "", "" },
    { "GET", "/{id:int}", "/4711" },
    { "PUT", "/{id:int}", "/4711" },
    { "DELETE", "/{id:int}", "/4711" },
    { "GET", "/search", "/search" },
    { "GET", "/by-name/{name}", "/by-name/ana%20clara" },
    { "GET", "/{id:int}/items", "/4711/items" },
    { "GET,PUT", "/{id:int}/items/{item}", "/4711/items/blue-7" },
    { "GET", "/files/{rest*}", "/files/2026/11/22/a.pdf" },
};

struct table {
    const char *name;
    struct router *router;
    unsigned resources_asked; /* requests are for the first so many resources */
    char paths[REQUESTS][96];
    const char *methods[REQUESTS];
    double took[ROUNDS]; /* ns per request */
};

/* Resources have names of different lengths, some with the same beginning. */
static void resource(char *out, size_t size, unsigned index)
{
    static const char *const words[] = { "users", "orders", "invoices", "carts", "shipments",
        "products", "reviews", "tax-rates", "warehouses", "price-lists" };
    snprintf(out, size, "/api/v1/%s-%u", words[index % 10], index / 10);
}

static void line_of(char *out, size_t size, unsigned index)
{
    const struct kind *kind = &kinds[index % KINDS];
    char path[64];
    resource(path, sizeof path, index / KINDS);
    snprintf(out, size, "%s %s%s", kind->method, path, kind->pattern);
}

static void add_route(struct router *router, struct arena *arena, unsigned index)
{
    char line[160];
    const char *error;
    void *other;
    line_of(line, sizeof line, index);
    const char *kept = arena_copy(arena, line, strlen(line));
    if (router_add(router, str_of(kept), arena_copy(arena, "", 0), &error, &other) != ROUTE_ADDED)
        abort();
}

/* `asked`: how many resources the requests are for. */
static struct table *table_new(
    struct arena *arena, const char *name, unsigned routes, unsigned asked)
{
    struct table *table = arena_zero(arena, sizeof *table);
    unsigned seed = 1;
    asked = asked > 0 ? asked : 1;
    table->name = name;
    table->router = router_new(arena);
    for (unsigned i = 0; i < routes; i++)
        add_route(table->router, arena, i);
    for (unsigned i = 0; i < REQUESTS; i++) {
        const struct kind *kind = &kinds[i % KINDS];
        char path[64];
        resource(path, sizeof path, (unsigned)rand_r(&seed) % asked);
        snprintf(table->paths[i], sizeof table->paths[i], "%s%s", path, kind->path);
        table->methods[i] = str_has(str_of(kind->method), ',') ? "PUT" : kind->method;
    }
    return table;
}

/* Of this thread alone: what else the machine does is not in it. */
static double clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

static double measure(const struct table *table, struct arena *arena)
{
    struct route_match match;
    double start = clock_ns();
    for (unsigned repeat = 0; repeat < REPEATS; repeat++)
        for (unsigned i = 0; i < REQUESTS; i++) {
            if (router_find(table->router, table->methods[i], str_of(table->paths[i]), arena,
                    &match) != ROUTE_FOUND)
                abort();
            arena_reset(arena);
        }
    return (clock_ns() - start) / REPEATS / REQUESTS;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Says the median of the rounds' ratios, and the middle half of them. Returns it. */
static double compare(const struct table *table, const struct table *few, const char *remark)
{
    double ratios[ROUNDS], took[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        ratios[i] = table->took[i] / few->took[i];
        took[i] = table->took[i];
    }
    qsort(ratios, ROUNDS, sizeof *ratios, by_size);
    qsort(took, ROUNDS, sizeof *took, by_size);
    printf("  %-42s %4.0f ns   %.3f  (%.3f-%.3f)%s\n", table->name, took[ROUNDS / 2],
        ratios[ROUNDS / 2], ratios[ROUNDS / 4], ratios[ROUNDS * 3 / 4], remark);
    return ratios[ROUNDS / 2];
}

static int match_alone(void)
{
    struct arena arena, of_request;
    arena_init(&arena);
    arena_init(&of_request);
    struct table *few = table_new(&arena, "10 routes", FEW, FEW / KINDS);
    struct table *tables[] = {
        few,
        table_new(&arena, "1,000 routes, the same requests", MANY, FEW / KINDS),
        table_new(&arena, "1,000 routes, requests for all of them", MANY, MANY / KINDS),
    };
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < 3; i++)
            tables[i]->took[round] = measure(tables[i], &of_request);
    compare(few, few, "");
    double ratio =
        compare(tables[1], few, "   promised: at most " STR_NUMBER(PERCENT_ALLOWED) " % more");
    compare(tables[2], few, ""); /* what the processor's caches cost: judged end to end */
    arena_clear(&of_request);
    arena_clear(&arena);
    return ratio > 1 + PERCENT_ALLOWED / 100.0;
}

static void write_file(unsigned count)
{
    printf("{\n  \"routes\": {");
    for (unsigned i = 0; i < count; i++) {
        char line[160];
        line_of(line, sizeof line, i);
        printf("%s\n    \"%s\": { \"reply\": { \"ok\": true } }", i ? "," : "", line);
    }
    printf("\n  }\n}\n");
}

static void write_requests(unsigned count)
{
    struct arena arena;
    arena_init(&arena);
    const struct table *table = table_new(&arena, "", count, count / KINDS);
    for (unsigned i = 0; i < REQUESTS; i++)
        printf("%s %s\n", table->methods[i], table->paths[i]);
    arena_clear(&arena);
}

int main(int argc, char **argv)
{
    bool is_requests = argc == 3 && strcmp(argv[1], "--requests") == 0;
    if (argc == 1)
        return match_alone();
    if (is_requests)
        write_requests((unsigned)atoi(argv[2]));
    else
        write_file((unsigned)atoi(argv[1]));
    return 0;
}
