-- How often something was attempted.
CREATE TABLE vestibule_throttle (
    key          BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    attempts     INTEGER NOT NULL,
    closed_until INTEGER NOT NULL,
    forget_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX vestibule_throttle_forget_at ON vestibule_throttle (forget_at);
