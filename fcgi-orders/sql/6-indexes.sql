-- Step 6 of orders.db: lists with several filters, among a million orders.
--
-- Whoever asks for a status and a category finds the orders without looking at all of either. What
-- follows tells SQLite how selective each index is, in words that it reads at every start: that many
-- rows, so many of them for one value. Measured from the few rows of a new file (ANALYZE) it would
-- think that all are alike, and look for one user's orders among all that are delivered.

CREATE INDEX orders_by_status_and_category ON orders (status, category);
CREATE INDEX orders_by_user_category_status ON orders (user_id, category, status);

ANALYZE orders;
DELETE FROM sqlite_stat1 WHERE tbl = 'orders';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('orders', 'orders_by_user',                '1000000 20'),
    ('orders', 'orders_by_status',              '1000000 250000'),
    ('orders', 'orders_by_category',            '1000000 250000'),
    ('orders', 'orders_by_status_and_category', '1000000 250000 60000'),
    ('orders', 'orders_by_user_category_status', '1000000 20 5 2');
