/* live: the configuration in use, which a reload swaps for another as a whole. */
#ifndef GATEWAY_LIVE_H
#define GATEWAY_LIVE_H

#include "config.h"

struct live;
struct live_slot; /* where one place for a request notes which configuration it uses */

/* Reads `file`; but where the program started anew, what it had in use before that. NULL where it
 * cannot be used, after writing every mistake to `out`. Before there are other threads. */
struct live *live_new(const char *file, FILE *out);

/* When no slot is left. */
void live_free(struct live *live);

/* A slot, given back by live_leave; NULL without memory. */
struct live_slot *live_join(struct live *live);
void live_leave(struct live_slot *slot);

/* What is in use now; it stays what it is until live_release or the next live_take of this slot.
 * Neither waits for anybody. */
struct config *live_take(struct live_slot *slot);
void live_release(struct live_slot *slot);

/* Reads the file again and uses it from now on for whoever takes; what was in use before is freed
 * when no slot holds it. Where it has mistakes nothing changes. False then; mistakes and warnings
 * are written to `out`. One thread at a time. */
bool live_reload(struct live *live, FILE *out);

/* What is in use now, without a slot: for the thread that reloads. */
const struct config *live_config(const struct live *live);

/* The descriptor that must stay open when the program starts anew; 0: none. */
int live_kept_fd(const struct live *live);

#endif
