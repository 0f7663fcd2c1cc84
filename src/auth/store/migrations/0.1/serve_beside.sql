-- For PostgreSQL, after `take_over.sql`: nodes of version 0.1 serve beside those of this one until all are replaced. They
-- see their tables as views. What they write of passwords is copied to where it is now, and back. Version 0.3 removes
-- all of this.
ALTER TABLE vestibule_users ADD COLUMN password_hash TEXT, ADD COLUMN password_version BIGINT NOT NULL DEFAULT 0;
UPDATE vestibule_users SET password_hash = hash, password_version = version
FROM vestibule_passwords WHERE user_id = id;

CREATE FUNCTION vestibule_password_of_0_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 AND NEW.password_hash IS NOT NULL THEN
        INSERT INTO vestibule_passwords (user_id, hash, version)
        VALUES (NEW.id, NEW.password_hash, NEW.password_version)
        ON CONFLICT (user_id) DO UPDATE SET hash = EXCLUDED.hash, version = EXCLUDED.version;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER vestibule_password_of_0_1 AFTER INSERT OR UPDATE OF password_hash, password_version ON vestibule_users
FOR EACH ROW EXECUTE FUNCTION vestibule_password_of_0_1();

CREATE FUNCTION vestibule_password_for_0_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 THEN
        UPDATE vestibule_users SET password_hash = NEW.hash, password_version = NEW.version WHERE id = NEW.user_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER vestibule_password_for_0_1 AFTER INSERT OR UPDATE ON vestibule_passwords
FOR EACH ROW EXECUTE FUNCTION vestibule_password_for_0_1();

-- Version 0.1 leaves out the address of a message to a user.
CREATE FUNCTION vestibule_recipient_of_0_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.recipient IS NULL THEN
        NEW.recipient := (SELECT email_key FROM vestibule_users WHERE id = NEW.user_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER vestibule_recipient_of_0_1 BEFORE INSERT ON vestibule_outbox
FOR EACH ROW EXECUTE FUNCTION vestibule_recipient_of_0_1();

CREATE VIEW users AS
SELECT id, email, email_key, name, password_hash, email_verified_at, disabled_at, created_at, password_version,
    charged_key AS signed_up_key, charged_millis AS signed_up_millis
FROM vestibule_users;
CREATE VIEW sessions AS
SELECT digest, id, user_id, remembered, created_at, last_seen_at, authenticated_at AS proved_at, expires_at,
    ip AS address, user_agent
FROM vestibule_sessions;
CREATE VIEW renewed_sessions AS SELECT digest, session_id, user_id, renewed_at FROM vestibule_renewed_sessions;
CREATE VIEW tokens AS
SELECT digest, purpose, user_id, recipient AS sent_to, created_at, expires_at, message_id AS letter_id
FROM vestibule_links;
CREATE VIEW used_tokens AS SELECT digest, purpose, user_id, used_at FROM vestibule_used_links;
CREATE VIEW outbox AS
SELECT id, message AS letter, user_id, recipient AS email_key, device, ip AS network, attempts, created_at, due_at,
    quota_key AS uncounted_key, priority, site_key, domain_key, refusals
FROM vestibule_outbox;
CREATE VIEW throttle AS SELECT key, attempts AS tries, closed_until, forget_at FROM vestibule_throttle;
CREATE VIEW events AS SELECT id, at, kind, user_id, ip AS address, user_agent FROM vestibule_events;
CREATE VIEW health AS SELECT ctid, checked_at, padding, key_fingerprint, swept_at FROM vestibule_health;
