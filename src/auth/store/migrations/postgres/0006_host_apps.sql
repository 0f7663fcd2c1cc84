ALTER TABLE vestibule_users ADD COLUMN is_admin BOOLEAN NOT NULL DEFAULT FALSE;
-- When the host app is to be told of it; NULL if it was, or does not want to know.
ALTER TABLE vestibule_events ADD COLUMN due_at BIGINT;
CREATE INDEX vestibule_events_due_at ON vestibule_events (due_at) WHERE due_at IS NOT NULL;
