/* checker: asks servers after their health, again and again, where the file says so. */
#ifndef GATEWAY_CHECKER_H
#define GATEWAY_CHECKER_H

#include "live.h"

struct checker;

/* Checks the servers of whatever configuration is in use, in a thread of its own that begins with
 * checker_run. NULL without memory. Before there are other threads. */
struct checker *checker_new(struct live *live);

/* Begins where this configuration has something to check, if it has not yet; from any thread. */
void checker_run(struct checker *self, const struct config *config);

/* Waits for the thread's end. */
void checker_free(struct checker *self);

#endif
