/* question: what can be asked about a configuration file instead of serving it: --check and others.
 *
 * All of them read the file with the code of a start, so their answers hold for what would be
 * served.
 */
#include "question.h"
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "explain.h"
#include "listing.h"

static int check(const struct config *config, const char *file, const char *request)
{
    (void)request;
    printf("%s: ok, %u routes\n", file, config->route_count);
    return 0;
}

static int list_routes(const struct config *config, const char *file, const char *request)
{
    (void)file, (void)request;
    listing_print(config, config->arena, stdout);
    return 0;
}

static int explain(const struct config *config, const char *file, const char *request)
{
    return explain_print(config, file, request, config->arena, stdout);
}

static const struct question {
    const char *option;
    bool has_request; /* stands behind the option */
    int (*answer)(const struct config *config, const char *file, const char *request);
} questions[] = {
    { "--check", false, check },
    { "--routes", false, list_routes },
    { "--explain", true, explain },
};

const struct question *question_find(const char *argument)
{
    for (size_t i = 0; argument && i < sizeof questions / sizeof *questions; i++)
        if (strcmp(argument, questions[i].option) == 0)
            return &questions[i];
    return NULL;
}

bool question_has_request(const struct question *question)
{
    return question->has_request;
}

int question_answer(const struct question *question, const char *file, const char *request)
{
    struct arena arena;
    arena_init(&arena);
    const struct config *config = config_read_patiently(file, &arena, stderr);
    int status = config ? question->answer(config, file, request) : 1;
    arena_clear(&arena);
    return status;
}
