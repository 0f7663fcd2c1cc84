-- One row: written to see whether the database can be written; and what all nodes have to agree on.
CREATE TABLE vestibule_health (
    checked_at      INTEGER NOT NULL,
    -- So that the write takes as much room as a sign-in.
    padding         BLOB,
    key_fingerprint BLOB,
    swept_at        INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO vestibule_health (checked_at) VALUES (0);
