-- What happened to accounts. Rows outlive their user.
CREATE TABLE vestibule_events (
    id         UUID NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    user_id    UUID,
    ip         TEXT NOT NULL,
    user_agent TEXT NOT NULL CHECK (length(user_agent) <= 256)
);
CREATE INDEX vestibule_events_at ON vestibule_events (at);
CREATE INDEX vestibule_events_user_id ON vestibule_events (user_id, at);
