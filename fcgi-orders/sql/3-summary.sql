-- Step 3 of orders.db: totals that are always there, so that nobody has to count.
--
-- The triggers change them in the transaction of the change itself: whoever writes, and whatever is
-- rolled back, they are what a recount would give. Who builds the table anew (CREATE, copy, DROP,
-- RENAME) loses the triggers and must create them again.
--
-- How a list finds its `total` without a scan:
--   all            SELECT coalesce(sum(orders), 0) FROM order_totals
--   by status      ... WHERE status = ?1
--   by category    ... WHERE category = ?1      (or both)
--   by user        SELECT orders FROM order_user_totals WHERE user_id = ?1     (no row: 0)
-- A user together with a status or category has no total of its own: count(*) over the user's orders.

-- A row for each pair that there ever was, 16 at most. Revenue is in cents.
CREATE TABLE order_totals (
    status   TEXT    NOT NULL,
    category TEXT    NOT NULL,
    orders   INTEGER NOT NULL CHECK (orders >= 0),
    cents    INTEGER NOT NULL CHECK (cents >= 0),
    PRIMARY KEY (status, category)
) STRICT, WITHOUT ROWID;

-- A row for each user who has an order. first_order is the lowest id among them.
CREATE TABLE order_user_totals (
    user_id     INTEGER PRIMARY KEY,
    orders      INTEGER NOT NULL CHECK (orders > 0),
    first_order INTEGER NOT NULL
) STRICT;

INSERT INTO order_totals
    SELECT status, category, count(*), sum(price * quantity) FROM orders GROUP BY status, category;
INSERT INTO order_user_totals
    SELECT user_id, count(*), min(id) FROM orders GROUP BY user_id;

-- The most active user is its first row.
CREATE INDEX order_users_by_rank ON order_user_totals (orders DESC, first_order);

CREATE TRIGGER orders_inserted AFTER INSERT ON orders BEGIN
    INSERT INTO order_totals VALUES (NEW.status, NEW.category, 1, NEW.price * NEW.quantity)
        ON CONFLICT DO UPDATE SET orders = orders + 1, cents = cents + excluded.cents;
    INSERT INTO order_user_totals VALUES (NEW.user_id, 1, NEW.id)
        ON CONFLICT DO UPDATE SET orders = orders + 1, first_order = min(first_order, NEW.id);
END;

CREATE TRIGGER orders_deleted AFTER DELETE ON orders BEGIN
    UPDATE order_totals SET orders = orders - 1, cents = cents - OLD.price * OLD.quantity
        WHERE status = OLD.status AND category = OLD.category;
    DELETE FROM order_user_totals WHERE user_id = OLD.user_id AND orders = 1;
    UPDATE order_user_totals SET orders = orders - 1, first_order =
            iif(first_order = OLD.id, (SELECT min(id) FROM orders WHERE user_id = OLD.user_id), first_order)
        WHERE user_id = OLD.user_id;
END;

CREATE TRIGGER orders_changed AFTER UPDATE OF status, category, quantity, price ON orders BEGIN
    UPDATE order_totals SET orders = orders - 1, cents = cents - OLD.price * OLD.quantity
        WHERE status = OLD.status AND category = OLD.category;
    INSERT INTO order_totals VALUES (NEW.status, NEW.category, 1, NEW.price * NEW.quantity)
        ON CONFLICT DO UPDATE SET orders = orders + 1, cents = cents + excluded.cents;
END;

CREATE TRIGGER orders_given_to_another_user AFTER UPDATE OF user_id ON orders WHEN NEW.user_id <> OLD.user_id BEGIN
    DELETE FROM order_user_totals WHERE user_id = OLD.user_id AND orders = 1;
    UPDATE order_user_totals SET orders = orders - 1, first_order =
            iif(first_order = OLD.id, (SELECT min(id) FROM orders WHERE user_id = OLD.user_id), first_order)
        WHERE user_id = OLD.user_id;
    INSERT INTO order_user_totals VALUES (NEW.user_id, 1, NEW.id)
        ON CONFLICT DO UPDATE SET orders = orders + 1, first_order = min(first_order, NEW.id);
END;

-- INSERT OR REPLACE deletes the row that is in the way without telling a trigger (unless a connection
-- asks for that, PRAGMA recursive_triggers), and the totals would be wrong from then on. It is refused,
-- in the words of any other INSERT of an id that is taken.
CREATE TRIGGER orders_not_replaced BEFORE INSERT ON orders
    WHEN EXISTS (SELECT 1 FROM orders WHERE id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'UNIQUE constraint failed: orders.id');
END;

CREATE TRIGGER orders_keep_their_id BEFORE UPDATE OF id ON orders WHEN NEW.id <> OLD.id BEGIN
    SELECT RAISE(ABORT, 'an order keeps its id');
END;
