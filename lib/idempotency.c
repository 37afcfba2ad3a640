/* idempotency: a request that is sent again under the same Idempotency-Key gets its first reply.
 *
 * A client that heard no answer cannot know whether its request was carried out. With a key it may
 * simply ask again. Only replies to what was carried out are kept: who was refused may mend the
 * request and send it under the same key.
 *
 * Bodies are compared by a hash of 128 bits and their length. It is no cryptographic one, and need
 * not be: two bodies that are taken for the same by accident are out of reach (2^-64 with billions
 * of keys), and who makes two of them on purpose, under one key, gets the reply to his own first
 * one. Keeping the bodies instead would let anybody fill the disk with 1 MiB of spaces at a time.
 */
#include "idempotency.h"
#include <stdio.h>
#include "buf.h"

/* How many old replies go with each one that is kept: more than one, so that they do not pile up;
 * few, so that no request pays for a day that was busy. */
#define FORGET_MAX "8"

bool idempotency_key_is_valid(struct str key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.at[i] <= ' ' || key.at[i] > '~')
            return false;
    return key.len > 0 && key.len <= IDEMPOTENCY_KEY_MAX;
}

/* FNV-1a with 128 bits, of Fowler, Noll and Vo. */
static unsigned __int128 add_to_hash(unsigned __int128 hash, struct str bytes)
{
    const unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13B;
    for (size_t i = 0; i < bytes.len; i++) {
        hash ^= (unsigned char)bytes.at[i];
        hash *= prime;
    }
    return hash;
}

struct str idempotency_fingerprint(
    struct str body, size_t skip, size_t skip_len, struct arena *arena)
{
    unsigned __int128 hash =
        ((unsigned __int128)0x6C62272E07BB0142 << 64) + 0x62B821756295C58D; /* FNV's start */
    struct str before = { body.at, skip };
    struct str behind = { body.at + skip + skip_len, body.len - skip - skip_len };
    struct buf text;
    hash = add_to_hash(add_to_hash(hash, before), behind);
    buf_init(&text, arena);
    buf_printf(&text, "%016llx%016llx-%zu", (unsigned long long)(hash >> 64),
        (unsigned long long)hash, before.len + behind.len);
    return buf_as_str(&text);
}

static struct str copy_text(struct query *query, int column, struct arena *arena)
{
    struct str text = query_text(query, column);
    return (struct str){ arena_copy(arena, text.len > 0 ? text.at : "", text.len), text.len };
}

enum idempotency_result idempotency_find(struct db *db, const struct idempotency *idempotency,
    int64_t now, struct arena *arena, struct outcome *outcome, enum db_result *failure)
{
    enum idempotency_result found = IDEMPOTENCY_NEW;
    struct query *query =
        db_query(db, "SELECT fingerprint, status, location, etag, body FROM replies"
                     " WHERE request = ?1 AND key = ?2 AND made_at > ?3");
    query_bind_text(query, 1, idempotency->request);
    query_bind_text(query, 2, idempotency->key);
    query_bind_int(query, 3, now - IDEMPOTENCY_SECONDS);
    *failure = query_step(query);
    if (*failure == DB_ROW && str_eq(query_text(query, 0), idempotency->fingerprint)) {
        found = IDEMPOTENCY_REPEATED;
        outcome->status = (int)query_int(query, 1);
        outcome->location = copy_text(query, 2, arena);
        outcome->etag = copy_text(query, 3, arena);
        outcome->body = copy_text(query, 4, arena);
    } else if (*failure == DB_ROW) {
        found = IDEMPOTENCY_OTHER;
    } else if (*failure != DB_DONE) {
        found = IDEMPOTENCY_FAILED;
    }
    query_end(query);
    return found;
}

static enum db_result forget_some(struct db *db, int64_t now)
{
    struct query *query =
        db_query(db, "DELETE FROM replies WHERE (request, key) IN"
                     " (SELECT request, key FROM replies WHERE made_at <= ?1 ORDER BY made_at"
                     "  LIMIT " FORGET_MAX ")");
    query_bind_int(query, 1, now - IDEMPOTENCY_SECONDS);
    enum db_result result = query_step(query);
    query_end(query);
    return result;
}

enum db_result idempotency_keep(struct db *db, const struct idempotency *idempotency, int64_t now,
    const struct outcome *outcome)
{
    struct query *query = /* REPLACE: one that is too old may still stand there */
        db_query(db, "INSERT OR REPLACE INTO replies"
                     " (request, key, fingerprint, status, location, etag, body, made_at)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    query_bind_text(query, 1, idempotency->request);
    query_bind_text(query, 2, idempotency->key);
    query_bind_text(query, 3, idempotency->fingerprint);
    query_bind_int(query, 4, outcome->status);
    query_bind_text(query, 5, outcome->location);
    query_bind_text(query, 6, outcome->etag);
    query_bind_text(query, 7, outcome->body);
    query_bind_int(query, 8, now);
    enum db_result result = query_step(query);
    query_end(query);
    return result == DB_DONE ? forget_some(db, now) : result;
}
