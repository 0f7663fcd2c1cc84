ALTER TABLE vestibule_users ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0 CHECK (is_admin IN (0, 1));
-- When the host app is to be told of it; NULL if it was, or does not want to know.
ALTER TABLE vestibule_events ADD COLUMN due_at INTEGER;
CREATE INDEX vestibule_events_due_at ON vestibule_events (due_at) WHERE due_at IS NOT NULL;
