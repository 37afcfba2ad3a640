-- Step 1 of orders.db: what was ordered.
--
-- Whatever a program does wrong, these rules keep the data whole. Users are another service's: an
-- order keeps the name that its user had. An id is never given twice (AUTOINCREMENT).

CREATE TABLE orders (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL CHECK (user_id > 0),
    user_name  TEXT    NOT NULL CHECK (user_name <> ''),
    product    TEXT    NOT NULL CHECK (product <> ''),
    category   TEXT    NOT NULL CHECK (category IN ('Bebida Quente', 'Bebida Gelada', 'Doce', 'Sobremesa')),
    quantity   INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
    price      INTEGER NOT NULL CHECK (price BETWEEN 0 AND 10000000),  -- of one, in cents
    status     TEXT    NOT NULL CHECK (status IN ('preparing', 'ready', 'delivered', 'cancelled')),
    order_date TEXT    NOT NULL CHECK (order_date IS strftime('%Y-%m-%d %H:%M', order_date)),
    served_by  TEXT    NOT NULL
) STRICT;

CREATE INDEX orders_by_user     ON orders (user_id);
CREATE INDEX orders_by_status   ON orders (status);
CREATE INDEX orders_by_category ON orders (category);
