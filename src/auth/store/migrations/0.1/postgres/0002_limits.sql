-- What was tried how often. The key is an HMAC: the table names nobody.
CREATE TABLE throttle (
    key          BYTEA  NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    tries        BIGINT NOT NULL,
    closed_until BIGINT NOT NULL,
    forget_at    BIGINT NOT NULL
);
CREATE INDEX throttle_forget_at ON throttle (forget_at);

-- Browsers that opened the account before this instant are strangers again.
ALTER TABLE users ADD COLUMN devices_valid_from BIGINT NOT NULL DEFAULT 0;

-- What happened to accounts. Rows outlive their user.
CREATE TABLE events (
    id         UUID   NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    user_id    UUID,
    address    TEXT   NOT NULL,
    user_agent TEXT   NOT NULL CHECK (length(user_agent) <= 256)
);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_user_id ON events (user_id, at);

-- The letter that holds the link: a try to send it that broke off leaves a link that the next removes.
ALTER TABLE tokens ADD COLUMN letter_id UUID;
