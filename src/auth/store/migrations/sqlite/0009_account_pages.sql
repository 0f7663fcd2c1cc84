-- The address that the owner wants to change to: it counts once the link mailed to it was used.
ALTER TABLE vestibule_users ADD COLUMN new_email TEXT;
ALTER TABLE vestibule_users ADD COLUMN new_email_key TEXT;
-- When the account, which its owner has deleted, is erased. Until then it is disabled, and can be restored.
ALTER TABLE vestibule_users ADD COLUMN delete_at INTEGER;
CREATE INDEX vestibule_users_delete_at ON vestibule_users (delete_at) WHERE delete_at IS NOT NULL;
-- Verified addresses that an account had. Until `undo_until`, a mailed link puts the address back, and nobody else can
-- take it.
CREATE TABLE vestibule_former_emails (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id    BLOB NOT NULL REFERENCES vestibule_users (id) ON DELETE CASCADE,
    email      TEXT NOT NULL,
    email_key  TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    undo_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX vestibule_former_emails_user_id ON vestibule_former_emails (user_id);
CREATE INDEX vestibule_former_emails_email_key ON vestibule_former_emails (email_key);
CREATE INDEX vestibule_former_emails_undo_until ON vestibule_former_emails (undo_until);
