-- Messages that are still to be sent.
CREATE TABLE vestibule_outbox (
    id          BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    message     TEXT NOT NULL,
    -- The key of the address that it was meant for when it was put here.
    recipient   TEXT NOT NULL,
    -- NULL: to whoever has the address when the message leaves, if anybody has.
    user_id     BLOB REFERENCES vestibule_users (id) ON DELETE CASCADE,
    -- What else it says.
    payload     TEXT,
    -- Who caused it: the browser and the system ("firefox/linux"), and from which address.
    device      TEXT NOT NULL,
    ip          TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    -- How many times a mail server said that it will never take it.
    refusals    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    -- Which messages leave before others: 0 what somebody waits for, 1 to new accounts, 2 what did not leave at once.
    priority    INTEGER NOT NULL DEFAULT 0,
    -- The quota that it still has to be charged to.
    quota_key   BLOB,
    -- The site that caused it, and the domain that it goes to: no site takes all the room, and what is slow at one
    -- domain does not hold up the others.
    site_key    BLOB,
    domain_key  BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX vestibule_outbox_due_at ON vestibule_outbox (due_at);
CREATE INDEX vestibule_outbox_user_id ON vestibule_outbox (user_id);
CREATE INDEX vestibule_outbox_quota_key ON vestibule_outbox (quota_key);
CREATE INDEX vestibule_outbox_site_key ON vestibule_outbox (site_key);
CREATE INDEX vestibule_outbox_turn ON vestibule_outbox (priority, due_at, id, site_key, domain_key);
