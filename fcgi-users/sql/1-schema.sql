-- Step 1 of users.db: who comes to the cafeteria.
--
-- Whatever a program does wrong, these rules keep the data whole. An id is never given twice
-- (AUTOINCREMENT): the orders service knows users by it, also those that are gone.

CREATE TABLE users (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT    NOT NULL CHECK (name <> ''),
    email          TEXT    NOT NULL COLLATE NOCASE UNIQUE
                           CHECK (email LIKE '%_@_%' AND email NOT LIKE '%@%@%'),
    cpf            TEXT    NOT NULL UNIQUE
                           CHECK (cpf GLOB '[0-9][0-9][0-9].[0-9][0-9][0-9].[0-9][0-9][0-9]-[0-9][0-9]'),
    member_since   TEXT    NOT NULL CHECK (member_since IS date(member_since)),
    favorite_drink TEXT    NOT NULL,
    loyalty_points INTEGER NOT NULL DEFAULT 0 CHECK (loyalty_points >= 0),
    active         INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1))
) STRICT;

CREATE INDEX users_by_favorite_drink ON users (favorite_drink);
