/* reload: takes the configuration file in again, and says what became of it.
 *
 * What is said goes to the log, whose lines lighttpd/control reads for `control reload` and
 * `control status`: they begin with "reload: ", which no line of a request can.
 */
#include "reload.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "checker.h"
#include "live.h"
#include "worker.h"
#include "lib/log.h"

static void log_lines(char *text)
{
    for (char *line; (line = strsep(&text, "\n")) && *line;)
        log_event("reload: %s", line);
}

void reload(void *context)
{
    const struct worker_shares *shares = context;
    struct live *live = shares->live;
    char *said = NULL;
    size_t len;
    FILE *out = open_memstream(&said, &len);
    if (!out) {
        log_event("reload: refused, out of memory; what was loaded before stays in use");
        return;
    }
    int concurrent_max = live_config(live)->concurrent_max;
    bool is_done = live_reload(live, out);
    checker_run(shares->checker, live_config(live));
    if (live_config(live)->concurrent_max != concurrent_max)
        fprintf(out, "limits.concurrent changes with a restart, not with a reload\n");
    fclose(out);
    log_lines(said);
    free(said);
    if (is_done)
        log_event("reload: done, %u routes", live_config(live)->route_count);
    else
        log_event("reload: refused, what was loaded before stays in use");
}
