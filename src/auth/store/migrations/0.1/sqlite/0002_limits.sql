-- What was tried how often. The key is an HMAC: the table names nobody.
CREATE TABLE throttle (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    tries        INTEGER NOT NULL,
    closed_until INTEGER NOT NULL,
    forget_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX throttle_forget_at ON throttle (forget_at);

-- Browsers that opened the account before this instant are strangers again.
ALTER TABLE users ADD COLUMN devices_valid_from INTEGER NOT NULL DEFAULT 0;

-- What happened to accounts. Rows outlive their user.
CREATE TABLE events (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    user_id    BLOB,
    address    TEXT    NOT NULL,
    user_agent TEXT    NOT NULL CHECK (length(user_agent) <= 256)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_at ON events (at);
CREATE INDEX events_user_id ON events (user_id, at);

-- The letter that holds the link: a try to send it that broke off leaves a link that the next removes.
ALTER TABLE tokens ADD COLUMN letter_id BLOB;
