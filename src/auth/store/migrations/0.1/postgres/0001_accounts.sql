-- Instants are milliseconds since 1970, UTC. Random secrets are stored as their SHA-256 only.

CREATE TABLE users (
    id                UUID    NOT NULL PRIMARY KEY,
    email             TEXT    NOT NULL,
    email_key         TEXT    NOT NULL UNIQUE CHECK (length(email_key) BETWEEN 3 AND 254),
    name              TEXT    CHECK (length(name) BETWEEN 1 AND 100),
    password_hash     TEXT    NOT NULL,
    email_verified_at BIGINT,
    disabled_at       BIGINT,
    created_at        BIGINT  NOT NULL
);

CREATE TABLE sessions (
    digest       BYTEA   NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    id           UUID    NOT NULL UNIQUE,
    user_id      UUID    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    remembered   BOOLEAN NOT NULL,
    created_at   BIGINT  NOT NULL,
    last_seen_at BIGINT  NOT NULL,
    proved_at    BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    address      TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL CHECK (length(user_agent) <= 256)
);
CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE tokens (
    digest     BYTEA   NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    purpose    TEXT    NOT NULL CHECK (purpose IN ('password-reset', 'verify-email')),
    user_id    UUID    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sent_to    TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX tokens_user_id ON tokens (user_id);

-- A letter to a user, or (a password reset that was asked for) to whoever has this address.
CREATE TABLE outbox (
    id         UUID    NOT NULL PRIMARY KEY,
    letter     TEXT    NOT NULL,
    user_id    UUID    REFERENCES users (id) ON DELETE CASCADE,
    email_key  TEXT,
    device     TEXT    NOT NULL,
    network    TEXT    NOT NULL,
    attempts   BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    due_at     BIGINT  NOT NULL,
    CHECK ((user_id IS NULL) <> (email_key IS NULL))
);
CREATE INDEX outbox_due_at ON outbox (due_at);
CREATE INDEX outbox_user_id ON outbox (user_id);

CREATE TABLE health (
    checked_at BIGINT  NOT NULL
);
INSERT INTO health (checked_at) VALUES (0);
