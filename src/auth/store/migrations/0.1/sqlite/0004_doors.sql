-- What a link was used for, kept for some minutes: a form that is sent twice is answered alike.
CREATE TABLE used_tokens (
    digest  BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    purpose TEXT    NOT NULL,
    user_id BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX used_tokens_user_id ON used_tokens (user_id);

-- A letter to a new account, while it has not been counted yet: the key of its network in `throttle`.
ALTER TABLE outbox ADD COLUMN uncounted_key BLOB;
CREATE INDEX outbox_uncounted_key ON outbox (uncounted_key);

-- The key of the network that the letter of this sign-up was counted for, until the address is confirmed.
ALTER TABLE users ADD COLUMN signed_up_key BLOB;

-- So that looking whether the database can be written takes as much room as a log-in.
ALTER TABLE health ADD COLUMN padding BLOB;

-- Which session came after one that a changed password has ended, kept for some minutes: likewise.
CREATE TABLE renewed_sessions (
    digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    session_id BLOB    NOT NULL,
    user_id    BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    renewed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX renewed_sessions_user_id ON renewed_sessions (user_id);
