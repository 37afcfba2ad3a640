-- Step 6 of users.db: lists with filters, among a million users: the few who are not active, also of
-- one drink, are found without looking at all others. What follows tells SQLite how selective each
-- index is; see step 6 of orders.db. Drinks are given out as rarer than they are: by its index the rows
-- of one drink come in the order of their ids, so a page is full after some of them, and all are read
-- only where they are few.

CREATE INDEX users_by_active           ON users (active);
CREATE INDEX users_by_drink_and_active ON users (favorite_drink, active);

ANALYZE users;
DELETE FROM sqlite_stat1 WHERE tbl = 'users';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('users', 'users_by_favorite_drink',   '1000000 20'),
    ('users', 'users_by_active',           '1000000 500000'),
    ('users', 'users_by_drink_and_active', '1000000 20 10'),
    ('users', 'sqlite_autoindex_users_1',  '1000000 1'),
    ('users', 'sqlite_autoindex_users_2',  '1000000 1');
