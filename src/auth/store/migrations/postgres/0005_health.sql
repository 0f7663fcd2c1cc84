-- One row: written to see whether the database can be written; and what all nodes have to agree on.
CREATE TABLE vestibule_health (
    checked_at      BIGINT NOT NULL,
    -- So that the write takes as much room as a sign-in.
    padding         BYTEA,
    key_fingerprint BYTEA,
    swept_at        BIGINT NOT NULL DEFAULT 0
);
INSERT INTO vestibule_health (checked_at) VALUES (0);
