/* main: the gateway's command line: check a configuration, or load it and serve.
 *
 * The configuration is the argument, or what GATEWAY_CONFIG names, or fcgi-gateway/gateway.json.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "gateway.h"
#include "lib/serve.h"

/* Requests at the same time. Each has a thread with a small stack; more wait in the socket. */
#define THREADS_MAX 1024

static const char usage[] = "usage: fcgi-gateway [FILE]          serve, started by a web server\n"
                            "       fcgi-gateway --check [FILE]  find every mistake in FILE\n"
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

static int run(struct config *config)
{
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
    bool is_check = argc > 1 && strcmp(argv[1], "--check") == 0;
    int at = is_check ? 2 : 1;
    if (argc > at + 1 || (argc > at && argv[at][0] == '-')) {
        bool asked = strcmp(argv[at], "--help") == 0;
        fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    const char *file = config_path(argc > at ? argv[at] : NULL);
    struct arena arena;
    arena_init(&arena);
    struct config *config = config_read(file, &arena, stderr);
    int status = config ? 0 : 1;
    if (config && is_check)
        printf("%s: ok, %u routes\n", file, config->route_count);
    else if (config)
        status = run(config);
    arena_clear(&arena);
    return status;
}
