/* main: the gateway's command line: check a configuration, or load it and serve.
 *
 * The configuration is the argument, or what GATEWAY_CONFIG names, or fcgi-gateway/gateway.json.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "gateway.h"
#include "question.h"
#include "lib/serve.h"

/* Requests at the same time. Each has a thread with a small stack; more wait in the socket. */
#define THREADS_MAX 1024

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

static void *thread_start(void *context)
{
    (void)context;
    return caller_new();
}

static void thread_stop(void *thread)
{
    caller_free(thread);
}

static int run(const char *file)
{
    struct arena arena;
    arena_init(&arena);
    struct config *config = config_read(file, &arena, stderr);
    if (!config) {
        arena_clear(&arena);
        return 1;
    }
    struct responder responder = {
        .name = "fcgi-gateway",
        .handle = gateway_handle,
        .refuse = gateway_refuse,
        .thread_start = thread_start,
        .thread_stop = thread_stop,
        .context = config,
        .threads_max = THREADS_MAX,
        .body_max = config->body_max,
    };
    if (!upstream_init()) {
        fputs("fcgi-gateway: libcurl cannot start\n", stderr);
        return 1;
    }
    return serve(&responder);
}

int main(int argc, char **argv)
{
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
