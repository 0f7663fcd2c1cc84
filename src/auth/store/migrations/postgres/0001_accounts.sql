-- Instants are milliseconds since 1970, UTC. Random secrets are stored as their SHA-256 only. The keys of quotas, sites
-- and domains, and those of `vestibule_throttle`, are HMACs under the secret key: they name no client and no address.

CREATE TABLE vestibule_users (
    id                UUID NOT NULL PRIMARY KEY,
    -- As it was typed at sign-up.
    email             TEXT NOT NULL,
    -- In lower case, the domain as A-labels.
    email_key         TEXT NOT NULL UNIQUE CHECK (length(email_key) BETWEEN 3 AND 254),
    name              TEXT CHECK (length(name) BETWEEN 1 AND 100),
    email_verified_at BIGINT,
    disabled_at       BIGINT,
    created_at        BIGINT NOT NULL,
    -- What the message to this new account was charged to its site's quota: refunded once the address is confirmed.
    charged_key       BYTEA,
    charged_millis    BIGINT
);

-- Apart: an account may have none.
CREATE TABLE vestibule_passwords (
    user_id UUID NOT NULL PRIMARY KEY REFERENCES vestibule_users (id) ON DELETE CASCADE,
    hash    TEXT NOT NULL,
    -- How many times it was set. What was proved, or handed out, with another version is void: a sign-in under way, a
    -- known device. Counted, since clocks of several nodes differ and two things happen in one millisecond.
    version BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE vestibule_sessions (
    digest           BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    id               UUID NOT NULL UNIQUE,
    user_id          UUID NOT NULL REFERENCES vestibule_users (id) ON DELETE CASCADE,
    remembered       BOOLEAN NOT NULL,
    created_at       BIGINT NOT NULL,
    last_seen_at     BIGINT NOT NULL,
    -- When the person last proved who they are in it.
    authenticated_at BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    ip               TEXT NOT NULL,
    user_agent       TEXT NOT NULL CHECK (length(user_agent) <= 256)
);
CREATE INDEX vestibule_sessions_user_id ON vestibule_sessions (user_id);

-- Which session came after one that a changed password has ended, kept for some minutes: a form that is sent twice
-- gets the same answer.
CREATE TABLE vestibule_renewed_sessions (
    digest     BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    session_id UUID NOT NULL,
    user_id    UUID NOT NULL REFERENCES vestibule_users (id) ON DELETE CASCADE,
    renewed_at BIGINT NOT NULL
);
CREATE INDEX vestibule_renewed_sessions_user_id ON vestibule_renewed_sessions (user_id);

-- Mailed links that may still be opened. `user_id` is NULL for a link to somebody who has no account yet.
CREATE TABLE vestibule_links (
    digest     BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    purpose    TEXT NOT NULL,
    user_id    UUID REFERENCES vestibule_users (id) ON DELETE CASCADE,
    -- The key of the address that it was sent to.
    recipient  TEXT NOT NULL,
    -- What else it needs to do its work.
    payload    TEXT,
    -- The message that holds it: a try to send that broke off leaves a link that the next one replaces.
    message_id UUID,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX vestibule_links_user_id ON vestibule_links (user_id);

-- What a link was used for, kept for some minutes: a form that is sent twice gets the same answer.
CREATE TABLE vestibule_used_links (
    digest  BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    purpose TEXT NOT NULL,
    user_id UUID REFERENCES vestibule_users (id) ON DELETE CASCADE,
    used_at BIGINT NOT NULL
);
CREATE INDEX vestibule_used_links_user_id ON vestibule_used_links (user_id);
