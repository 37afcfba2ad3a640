-- Step 1 of menu.db: what the cafeteria offers.

CREATE TABLE items (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT    NOT NULL COLLATE NOCASE UNIQUE CHECK (name <> ''),
    kind      TEXT    NOT NULL CHECK (kind IN ('drink', 'food')),
    price     INTEGER NOT NULL CHECK (price >= 0),  -- in cents
    available INTEGER NOT NULL CHECK (available IN (0, 1)),
    since     TEXT    NOT NULL CHECK (since IS date(since)),
    version   INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX items_by_kind ON items (kind);
