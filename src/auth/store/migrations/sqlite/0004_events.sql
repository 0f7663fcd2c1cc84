-- What happened to accounts. Rows outlive their user.
CREATE TABLE vestibule_events (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    user_id    BLOB,
    ip         TEXT NOT NULL,
    user_agent TEXT NOT NULL CHECK (length(user_agent) <= 256)
) STRICT, WITHOUT ROWID;
CREATE INDEX vestibule_events_at ON vestibule_events (at);
CREATE INDEX vestibule_events_user_id ON vestibule_events (user_id, at);
