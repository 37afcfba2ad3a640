/* idempotency: a request that is sent again under the same Idempotency-Key gets its first reply. */
#ifndef LIB_IDEMPOTENCY_H
#define LIB_IDEMPOTENCY_H

#include <stdint.h>
#include "arena.h"
#include "db.h"

#define IDEMPOTENCY_KEY_MAX 255
#define IDEMPOTENCY_SECONDS (24 * 60 * 60) /* a reply is kept for so long */

/* A reply to a change, as it can be sent once more. */
struct outcome {
    int status;
    struct str location, etag; /* empty: none */
    struct str body;
};

/* A request that may be sent again. */
struct idempotency {
    struct str request;     /* method and path */
    struct str key;         /* empty: it may not */
    struct str fingerprint; /* of its body */
};

enum idempotency_result {
    IDEMPOTENCY_NEW,
    IDEMPOTENCY_REPEATED, /* the first reply is in *outcome */
    IDEMPOTENCY_OTHER,    /* the key was used with another body */
    IDEMPOTENCY_FAILED,   /* *failure says how */
};

/* 1 to IDEMPOTENCY_KEY_MAX visible ASCII characters. */
bool idempotency_key_is_valid(struct str key);

/* Stands for a body whose bytes from `skip` on, `skip_len` of them, do not count. */
struct str idempotency_fingerprint(
    struct str body, size_t skip, size_t skip_len, struct arena *arena);

/* Was there such a request since `now` - IDEMPOTENCY_SECONDS? `now` in seconds since 1970. */
enum idempotency_result idempotency_find(struct db *db, const struct idempotency *idempotency,
    int64_t now, struct arena *arena, struct outcome *outcome, enum db_result *failure);

/* Keeps the reply, in the transaction that is open, and forgets some of those that are too old.
 * Returns DB_DONE, or what went wrong. */
enum db_result idempotency_keep(struct db *db, const struct idempotency *idempotency, int64_t now,
    const struct outcome *outcome);

#endif
