-- How often something was attempted.
CREATE TABLE vestibule_throttle (
    key          BYTEA NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    attempts     BIGINT NOT NULL,
    closed_until BIGINT NOT NULL,
    forget_at    BIGINT NOT NULL
);
CREATE INDEX vestibule_throttle_forget_at ON vestibule_throttle (forget_at);
