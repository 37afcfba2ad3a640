-- Step 4 of orders.db: how often a row was changed, for its entity tag. The service counts with each
-- change; the trigger does it for whoever else changes a row.

ALTER TABLE orders ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

CREATE TRIGGER orders_have_versions AFTER UPDATE ON orders WHEN NEW.version = OLD.version BEGIN
    UPDATE orders SET version = OLD.version + 1 WHERE id = NEW.id;
END;
