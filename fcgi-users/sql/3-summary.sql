-- Step 3 of users.db: totals that are always there, so that nobody has to count.
--
-- The triggers change them in the transaction of the change itself: whoever writes, and whatever is
-- rolled back, they are what a recount would give. Who builds the table anew (CREATE, copy, DROP,
-- RENAME) loses the triggers and must create them again.
--
-- How a list finds its `total` without a scan of the users:
--   all           SELECT coalesce(sum(users), 0) FROM user_totals
--   by active     ... WHERE active = ?1
--   by drink      SELECT coalesce(sum(users), 0) FROM user_drink_totals WHERE fold(favorite_drink) = fold(?1)
--                 (AND active = ?2): looks at each spelling of each drink, not at each user

-- Two rows at most.
CREATE TABLE user_totals (
    active INTEGER PRIMARY KEY,
    users  INTEGER NOT NULL CHECK (users >= 0)
) STRICT;

-- A row for each drink, as it is spelled, that somebody likes.
CREATE TABLE user_drink_totals (
    favorite_drink TEXT    NOT NULL,
    active         INTEGER NOT NULL,
    users          INTEGER NOT NULL CHECK (users > 0),
    PRIMARY KEY (favorite_drink, active)
) STRICT, WITHOUT ROWID;

INSERT INTO user_totals SELECT active, count(*) FROM users GROUP BY active;
INSERT INTO user_drink_totals
    SELECT favorite_drink, active, count(*) FROM users GROUP BY favorite_drink, active;

CREATE TRIGGER users_inserted AFTER INSERT ON users BEGIN
    INSERT INTO user_totals VALUES (NEW.active, 1)
        ON CONFLICT DO UPDATE SET users = users + 1;
    INSERT INTO user_drink_totals VALUES (NEW.favorite_drink, NEW.active, 1)
        ON CONFLICT DO UPDATE SET users = users + 1;
END;

CREATE TRIGGER users_deleted AFTER DELETE ON users BEGIN
    UPDATE user_totals SET users = users - 1 WHERE active = OLD.active;
    DELETE FROM user_drink_totals
        WHERE favorite_drink = OLD.favorite_drink AND active = OLD.active AND users = 1;
    UPDATE user_drink_totals SET users = users - 1
        WHERE favorite_drink = OLD.favorite_drink AND active = OLD.active;
END;

CREATE TRIGGER users_changed AFTER UPDATE OF favorite_drink, active ON users
    WHEN NEW.favorite_drink <> OLD.favorite_drink OR NEW.active <> OLD.active BEGIN
    UPDATE user_totals SET users = users - 1 WHERE active = OLD.active;
    DELETE FROM user_drink_totals
        WHERE favorite_drink = OLD.favorite_drink AND active = OLD.active AND users = 1;
    UPDATE user_drink_totals SET users = users - 1
        WHERE favorite_drink = OLD.favorite_drink AND active = OLD.active;
    INSERT INTO user_totals VALUES (NEW.active, 1)
        ON CONFLICT DO UPDATE SET users = users + 1;
    INSERT INTO user_drink_totals VALUES (NEW.favorite_drink, NEW.active, 1)
        ON CONFLICT DO UPDATE SET users = users + 1;
END;

-- INSERT OR REPLACE and UPDATE OR REPLACE delete the row that is in the way without telling a trigger
-- (unless a connection asks for that, PRAGMA recursive_triggers), and the totals would be wrong from
-- then on. They are refused, in the words of any other statement that finds a value taken.
CREATE TRIGGER users_not_replaced BEFORE INSERT ON users
    WHEN EXISTS (SELECT 1 FROM users WHERE id = NEW.id)
        OR EXISTS (SELECT 1 FROM users WHERE email = NEW.email)
        OR EXISTS (SELECT 1 FROM users WHERE cpf = NEW.cpf) BEGIN
    SELECT RAISE(ABORT, 'UNIQUE constraint failed: users.id') WHERE EXISTS (SELECT 1 FROM users WHERE id = NEW.id);
    SELECT RAISE(ABORT, 'UNIQUE constraint failed: users.email') WHERE EXISTS (SELECT 1 FROM users WHERE email = NEW.email);
    SELECT RAISE(ABORT, 'UNIQUE constraint failed: users.cpf');
END;

CREATE TRIGGER users_not_replaced_by_email BEFORE UPDATE OF email ON users
    WHEN EXISTS (SELECT 1 FROM users WHERE email = NEW.email AND id <> OLD.id) BEGIN
    SELECT RAISE(ABORT, 'UNIQUE constraint failed: users.email');
END;

CREATE TRIGGER users_not_replaced_by_cpf BEFORE UPDATE OF cpf ON users
    WHEN EXISTS (SELECT 1 FROM users WHERE cpf = NEW.cpf AND id <> OLD.id) BEGIN
    SELECT RAISE(ABORT, 'UNIQUE constraint failed: users.cpf');
END;

CREATE TRIGGER users_keep_their_id BEFORE UPDATE OF id ON users WHEN NEW.id <> OLD.id BEGIN
    SELECT RAISE(ABORT, 'a user keeps its id');
END;
