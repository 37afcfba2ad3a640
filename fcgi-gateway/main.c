/* main: the gateway's command line: check a configuration, or load it and serve.
 *
 * The configuration is the argument, or what GATEWAY_CONFIG names, or fcgi-gateway/gateway.json.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "checker.h"
#include "gateway.h"
#include "good_copy.h"
#include "live.h"
#include "question.h"
#include "reload.h"
#include "worker.h"
#include "lib/keep.h"
#include "lib/serve.h"

/* Whoever is refused because the gateway has too much to do may try again after so many seconds. */
#define RETRY_S 1

/* A thread with one call under way has the web server's connection, a connection to the service,
 * two that wake its wait, and one that tells of the client's end; composed replies have more calls.
 */
#define DESCRIPTORS_EACH 8
#define DESCRIPTORS_MORE 64 /* what is open anyway */

static const char usage[] = "usage: fcgi-gateway [FILE]          serve, started by a web server\n"
                            "       fcgi-gateway --check [FILE]  find every mistake in FILE\n"
                            "       fcgi-gateway --routes [FILE] list the routes as a table\n"
                            "       fcgi-gateway --explain 'GET /path' [FILE]\n"
                            "                                    say what a request would meet\n"
                            "FILE is $GATEWAY_CONFIG or fcgi-gateway/gateway.json if not given.\n";

static const char *config_path(const char *argument)
{
    const char *variable = getenv("GATEWAY_CONFIG");
    if (argument)
        return argument;
    return variable && *variable ? variable : "fcgi-gateway/gateway.json";
}

/* Takes as many descriptors as so many requests need, if the system lets us. Returns how many
 * requests there can be: one that finds no descriptor waits for who knows how long, one that finds
 * no place is refused. */
static unsigned take_descriptors(unsigned requests)
{
    rlim_t wanted = (rlim_t)requests * DESCRIPTORS_EACH + DESCRIPTORS_MORE;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return requests;
    rlim_t had = limit.rlim_cur;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (had < limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        had = limit.rlim_cur;
    if (had >= wanted)
        return requests;
    unsigned possible =
        had > 2 * DESCRIPTORS_MORE ? (unsigned)((had - DESCRIPTORS_MORE) / DESCRIPTORS_EACH) : 1;
    fprintf(stderr,
        "fcgi-gateway: warning: %llu descriptors are enough for %u requests at the same time and "
        "not "
        "for %u (limits.concurrent; see MAX_FDS)\n",
        (unsigned long long)had, possible, requests);
    return possible;
}

/* Not again when the program starts anew after a crash: it has the socket then. */
static void keep_listening(void)
{
    const char *path = getenv("GATEWAY_SOCKET");
    if (!path || !*path || !serve_has_own_arguments())
        return;
    keep("fcgi-keeper", path);
    unsetenv("GATEWAY_SOCKET");
}

static int run(const char *file)
{
    struct good_copy copy;
    good_copy_open(&copy); /* first: the keeper holds it too, for whom it starts again */
    keep_listening();
    struct live *live = live_new(file, stderr);
    if (!live)
        return 1;
    unsigned places = take_descriptors((unsigned)live_config(live)->concurrent_max);
    struct worker_shares shares = { live, NULL };
    struct responder responder = {
        .name = "fcgi-gateway",
        .handle = gateway_handle,
        .refuse = gateway_refuse,
        .thread_start = worker_start,
        .thread_stop = worker_stop,
        .begin = worker_begin,
        .end = worker_end,
        .crashed = worker_crashed,
        .reload = reload,
        .context = &shares,
        .is_waiting_mostly = true,
        .overload_retry_s = RETRY_S,
        .threads_max = places,
        .body_max = INT64_MAX, /* the configuration's own, which may change: see gateway.c */
        .kept_fd = live_kept_fd(live),
    };
    int status = 1;
    shares.checker = checker_new(live);
    if (shares.checker)
        status = serve(&responder);
    else
        fputs("fcgi-gateway: out of memory\n", stderr);
    checker_free(shares.checker);
    live_free(live);
    return status;
}

/* Before anything else: a SIGHUP waits until the main thread takes it. */
static void hold_reloads(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
    hold_reloads();
    if (!serve_has_own_arguments())
        argc = 1;
    const struct question *question = argc > 1 ? question_find(argv[1]) : NULL;
    int at = 1 + (question != NULL) + (question && question_has_request(question));
    if (argc > at + 1 || argc < at || (argc > at && argv[at][0] == '-')) {
        bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    const char *file = config_path(argc > at ? argv[at] : NULL);
    return question ? question_answer(question, file, argv[2]) : run(file);
}
