-- Step 4 of users.db: how often a row was changed, for its entity tag. The service counts with each
-- change; the trigger does it for whoever else changes a row.

ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

CREATE TRIGGER users_have_versions AFTER UPDATE ON users WHEN NEW.version = OLD.version BEGIN
    UPDATE users SET version = OLD.version + 1 WHERE id = NEW.id;
END;
