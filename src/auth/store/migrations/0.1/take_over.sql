-- From the tables of version 0.1, which had no prefix, to these; in one transaction. `_sqlx_migrations` stays: without it
-- a program of that version would make itself new tables, and every account would seem to be gone.
-- Rows whose user is gone, which foreign keys that were off have left behind, are left out.
INSERT INTO vestibule_users (id, email, email_key, name, email_verified_at, disabled_at, created_at, charged_key, charged_millis)
SELECT id, email, email_key, name, email_verified_at, disabled_at, created_at, signed_up_key, signed_up_millis FROM users;
INSERT INTO vestibule_passwords (user_id, hash, version) SELECT id, password_hash, password_version FROM users;
INSERT INTO vestibule_sessions (digest, id, user_id, remembered, created_at, last_seen_at, authenticated_at, expires_at, ip, user_agent)
SELECT digest, id, user_id, remembered, created_at, last_seen_at, proved_at, expires_at, address, user_agent FROM sessions
WHERE user_id IN (SELECT id FROM users);
INSERT INTO vestibule_renewed_sessions (digest, session_id, user_id, renewed_at)
SELECT digest, session_id, user_id, renewed_at FROM renewed_sessions WHERE user_id IN (SELECT id FROM users);
INSERT INTO vestibule_links (digest, purpose, user_id, recipient, message_id, created_at, expires_at)
SELECT digest, purpose, user_id, sent_to, letter_id, created_at, expires_at FROM tokens
WHERE user_id IN (SELECT id FROM users);
INSERT INTO vestibule_used_links (digest, purpose, user_id, used_at)
SELECT digest, purpose, user_id, used_at FROM used_tokens WHERE user_id IN (SELECT id FROM users);
INSERT INTO vestibule_outbox (id, message, recipient, user_id, device, ip, attempts, refusals, created_at, due_at, priority, quota_key, site_key, domain_key)
SELECT outbox.id, letter, COALESCE(outbox.email_key, users.email_key), user_id, device, network, attempts, refusals, outbox.created_at, due_at, priority, uncounted_key, site_key, domain_key
FROM outbox LEFT JOIN users ON users.id = outbox.user_id
WHERE COALESCE(outbox.email_key, users.email_key) IS NOT NULL;
INSERT INTO vestibule_throttle (key, attempts, closed_until, forget_at)
SELECT key, tries, closed_until, forget_at FROM throttle;
INSERT INTO vestibule_events (id, at, kind, user_id, ip, user_agent)
SELECT id, at, CASE kind WHEN 'logged-in' THEN 'signed-in' WHEN 'log-in-failed' THEN 'sign-in-failed' WHEN 'logged-out' THEN 'signed-out' ELSE kind END, user_id, address, user_agent FROM events;
UPDATE vestibule_health SET key_fingerprint = (SELECT key_fingerprint FROM health LIMIT 1), swept_at = COALESCE((SELECT swept_at FROM health LIMIT 1), 0);

DROP TABLE outbox;
DROP TABLE used_tokens;
DROP TABLE tokens;
DROP TABLE renewed_sessions;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE throttle;
DROP TABLE events;
DROP TABLE health;
