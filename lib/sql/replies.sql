-- A step of every service that keeps replies under an Idempotency-Key (lib/idempotency.c). A reply is
-- written in the transaction of the change that it tells of: both are there, or neither.

CREATE TABLE replies (
    request     TEXT    NOT NULL,  -- 'POST /users'
    key         TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,  -- of the request's body
    status      INTEGER NOT NULL,
    location    TEXT    NOT NULL,
    etag        TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    made_at     INTEGER NOT NULL,  -- seconds since 1970
    PRIMARY KEY (request, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX replies_by_age ON replies (made_at);
