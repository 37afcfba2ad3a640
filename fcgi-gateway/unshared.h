/* unshared: remembers for a while whose replies are not for sharing, so that nobody waits for them.
 *
 * Who waits for another one's reply and may not have it has lost that time. Once is enough: what is
 * asked for next asks at once. One for the whole program, of a fixed size, without locks: an entry
 * that is lost to another, or to a race, costs one such waiting. */
#ifndef GATEWAY_UNSHARED_H
#define GATEWAY_UNSHARED_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/str.h"

/* So long after the last such reply. */
#define UNSHARED_FOR_S 60

/* So many different ones of a route in a row, and its others are taken for the same. */
#define UNSHARED_OF_ROUTE 3

struct unshared;

struct unshared *unshared_new(void);
void unshared_free(struct unshared *unshared);

/* Where a reply belongs. */
struct unshared_place {
    uint64_t route, reply; /* hashes */
};

/* `reply` tells all of the route's apart, but not by who asks. */
struct unshared_place unshared_place(
    const struct unshared *unshared, struct str route, struct str reply);

/* Is the next reply of this place probably for one request only? Times are of log_clock_us. */
bool unshared_is_likely(
    const struct unshared *unshared, const struct unshared_place *place, long long now_us);

/* A reply turned out to be for one request only. */
void unshared_note(struct unshared *unshared, const struct unshared_place *place, long long now_us);

/* A reply turned out to be for all. */
void unshared_forget(struct unshared *unshared, const struct unshared_place *place);

#endif
