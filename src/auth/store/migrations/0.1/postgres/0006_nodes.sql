-- What all nodes have to agree on, and what is known of their jobs.
ALTER TABLE health ADD COLUMN key_fingerprint BYTEA;
ALTER TABLE health ADD COLUMN swept_at BIGINT NOT NULL DEFAULT 0;
