-- Instants are milliseconds since 1970, UTC. Random secrets are stored as their SHA-256 only.

CREATE TABLE users (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    email             TEXT    NOT NULL,
    email_key         TEXT    NOT NULL UNIQUE CHECK (length(email_key) BETWEEN 3 AND 254),
    name              TEXT    CHECK (length(name) BETWEEN 1 AND 100),
    password_hash     TEXT    NOT NULL,
    email_verified_at INTEGER,
    disabled_at       INTEGER,
    created_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    digest       BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    user_id      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    remembered   INTEGER NOT NULL CHECK (remembered IN (0, 1)),
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    proved_at    INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    address      TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL CHECK (length(user_agent) <= 256)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE tokens (
    digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    purpose    TEXT    NOT NULL CHECK (purpose IN ('password-reset', 'verify-email')),
    user_id    BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sent_to    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_user_id ON tokens (user_id);

-- A letter to a user, or (a password reset that was asked for) to whoever has this address.
CREATE TABLE outbox (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    letter     TEXT    NOT NULL,
    user_id    BLOB    REFERENCES users (id) ON DELETE CASCADE,
    email_key  TEXT,
    device     TEXT    NOT NULL,
    network    TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    CHECK ((user_id IS NULL) <> (email_key IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_due_at ON outbox (due_at);
CREATE INDEX outbox_user_id ON outbox (user_id);

CREATE TABLE health (
    checked_at INTEGER NOT NULL
) STRICT;
INSERT INTO health (checked_at) VALUES (0);
