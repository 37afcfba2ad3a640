/* stored: a whole reply in memory, shared by those who send it.
 *
 * It does not change once it is made, so it is read without a lock; it goes with its last user. */
#ifndef GATEWAY_STORED_H
#define GATEWAY_STORED_H

#include <stdatomic.h>
#include <stdbool.h>
#include "freshness.h"
#include "lib/str.h"

struct stored {
    int status;
    struct str fields; /* "Name: value\r\n" each; neither Age nor Content-Length */
    struct str body;
    struct str vary;        /* the value of Vary, and, in the same order, a line for each of its */
    struct str vary_values; /* names with what the request had there */
    struct freshness freshness;
    long long arrived_us; /* on the clock of log_clock_us */
    size_t bytes;         /* of memory */

    atomic_flag is_claimed; /* somebody asks the service whether it is still the same */
    long long quiet_to_us;  /* whoever claims it then does not ask before: asking has just failed */
    atomic_uint users;      /* stored.c's own */
};

/* A reply while it comes. All zero is an empty one. */
struct stored_draft {
    char *bytes; /* malloc: fields, then body */
    size_t fields_len, len, cap;
    size_t body_max;
    int status;
};

/* Begins with status and fields. False without memory; the draft is empty then. */
bool stored_begin(struct stored_draft *draft, int status, struct str fields, size_t body_max);

/* Adds a part of the body. False where it becomes too long, or there is no memory: the draft is
 * empty then, as after stored_drop. */
bool stored_add(struct stored_draft *draft, const char *bytes, size_t len);

void stored_drop(struct stored_draft *draft);
bool stored_is_empty(const struct stored_draft *draft);

/* The whole reply, with one user; NULL where the draft is empty or there is no memory. The draft is
 * empty afterwards. `vary` and `vary_values` are copied. */
struct stored *stored_end(struct stored_draft *draft, struct str vary, struct str vary_values);

/* One more user, one less. NULL is allowed. */
struct stored *stored_use(struct stored *stored);
void stored_release(struct stored *stored);

#endif
