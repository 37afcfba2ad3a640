/* gateway_names: a server by a name: which of its addresses a call reaches. The names are this
 * program's own (getaddrinfo), the addresses are of the loopback network. */
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "fcgi-gateway/upstream.h"
#include "lib/log.h"

enum { ADDRESSES = 2, LAST = 5, PATIENCE_US = 20000000, PAUSE_NS = 10000000 };

/* 127.0.0.N: 2 and 3 answer with their number, 4 refuses, 5 neither accepts nor refuses. */
static unsigned short port;
static char url[64];

/* What the name means now: N of each address, 0: none. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int meaning[ADDRESSES];

static void mean(int first, int second)
{
    pthread_mutex_lock(&lock);
    meaning[0] = first;
    meaning[1] = second;
    pthread_mutex_unlock(&lock);
}

static struct sockaddr_in address_of(int last)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + (unsigned)last) };
}

/* In place of the system's: libcurl finds these. */
int getaddrinfo(
    const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    (void)name, (void)service, (void)hints;
    *result = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < ADDRESSES; i++) {
        if (!meaning[i])
            continue;
        struct addrinfo *one = calloc(1, sizeof *one);
        struct sockaddr_in *address = calloc(1, sizeof *address);
        *address = address_of(meaning[i]);
        *one = (struct addrinfo){ .ai_family = AF_INET,
            .ai_socktype = SOCK_STREAM,
            .ai_addr = (struct sockaddr *)address,
            .ai_addrlen = sizeof *address,
            .ai_next = *result };
        *result = one;
    }
    pthread_mutex_unlock(&lock);
    return *result ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

/* --- the servers --- */

/* Answers every request, over connections that are kept; the number is its argument's. */
static void *serve(void *argument)
{
    int fd = ((int *)argument)[0], last = ((int *)argument)[1];
    char bytes[4096], reply[64];
    int len = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", last);
    free(argument);
    while (read(fd, bytes, sizeof bytes) > 0 && write(fd, reply, (size_t)len) == len)
        ;
    close(fd);
    return NULL;
}

static void begin(void *(*run)(void *), int fd, int last)
{
    pthread_t thread;
    int *argument = calloc(2, sizeof *argument);
    argument[0] = fd;
    argument[1] = last;
    assert_int_equal(pthread_create(&thread, NULL, run, argument), 0);
    pthread_detach(thread);
}

static void *accept_all(void *argument)
{
    int listener = ((int *)argument)[0], last = ((int *)argument)[1], fd;
    free(argument);
    while ((fd = accept(listener, NULL, NULL)) >= 0)
        begin(serve, fd, last);
    return NULL;
}

static int listen_at(int last, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = address_of(last);
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    port = ntohs(address.sin_port);
    return fd;
}

/* So many wait to be accepted that the kernel drops what others send. */
static void fill(int last)
{
    struct sockaddr_in address = address_of(last);
    listen_at(last, 0);
    for (int i = 0; i < 4; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int ignored = connect(fd, (struct sockaddr *)&address, sizeof address);
        (void)ignored;
    }
}

static int start(void **state)
{
    (void)state;
    for (int last = 2; last <= 3; last++)
        begin(accept_all, listen_at(last, 16), last);
    fill(LAST);
    snprintf(url, sizeof url, "http://several.test:%u", port);
    return 0;
}

/* --- calls --- */

/* Which server answered; 0: none. */
static int call_by(struct caller *caller, const char *method)
{
    struct upstream_server server = { .address = { .text = STR("several"), .url = url } };
    struct upstream upstream = { .name = STR("several"), .servers = &server, .server_count = 1 };
    struct arena arena;
    arena_init(&arena);
    struct call call = { .upstream = &upstream,
        .method = method,
        .target = "/",
        .timeout_ms = 2000,
        .arena = &arena,
        .only_server = 1 };
    caller_start(caller, &call);
    caller_next(caller);
    int last = call.outcome == CALL_OK && call.body.len == 1 ? call.body.at[0] - '0' : 0;
    arena_clear(&arena);
    return last;
}

/* Does it answer at last? */
static bool is_reached(struct caller *caller, const char *method, int last)
{
    long long until_us = log_clock_us() + PATIENCE_US;
    while (log_clock_us() < until_us) {
        if (call_by(caller, method) == last)
            return true;
        nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
    }
    return false;
}

/* A POST has a new connection each time, and a new caller knows no addresses. */
static void every_call_is_answered(int first, int second, int calls)
{
    mean(first, second);
    for (int i = 0; i < calls; i++) {
        struct caller *caller = caller_new();
        assert_int_equal(call_by(caller, "POST"), first);
        caller_free(caller);
    }
}

static void what_refuses_is_passed_over(void **state)
{
    (void)state;
    every_call_is_answered(2, 4, 20);
}

static void what_does_not_answer_is_passed_over(void **state)
{
    (void)state;
    every_call_is_answered(2, LAST, 5);
}

static void all_addresses_are_used(void **state)
{
    (void)state;
    struct caller *caller = caller_new();
    mean(2, 3);
    assert_true(is_reached(caller, "POST", 2));
    assert_true(is_reached(caller, "POST", 3));
    assert_true(is_reached(caller, "POST", 2));
    caller_free(caller);
}

static void new_connections_go_where_the_name_leads_now(void **state)
{
    (void)state;
    struct caller *caller = caller_new();
    mean(2, 0);
    assert_int_equal(call_by(caller, "POST"), 2);
    mean(3, 0);
    assert_true(is_reached(caller, "POST", 3));
    mean(0, 0);
    assert_true(is_reached(caller, "POST", 0));
    mean(2, 0);
    assert_true(is_reached(caller, "POST", 2));
    caller_free(caller);
}

static void connections_that_are_busy_follow_the_name(void **state)
{
    (void)state;
    struct caller *caller = caller_new();
    mean(2, 0);
    assert_int_equal(call_by(caller, "GET"), 2);
    mean(3, 0);
    assert_int_equal(call_by(caller, "GET"), 2); /* the connection is kept */
    assert_true(is_reached(caller, "GET", 3));
    caller_free(caller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_refuses_is_passed_over),
        cmocka_unit_test(what_does_not_answer_is_passed_over),
        cmocka_unit_test(all_addresses_are_used),
        cmocka_unit_test(new_connections_go_where_the_name_leads_now),
        cmocka_unit_test(connections_that_are_busy_follow_the_name),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
