-- Which letters leave before others: 0 what somebody waits for, 1 to new accounts, 2 what did not leave at once.
ALTER TABLE outbox ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
-- The keys (HMACs) of the site that caused a letter and of the domain that it goes to: no site has all the room,
-- and what is slow at one domain does not hold up the others.
ALTER TABLE outbox ADD COLUMN site_key BLOB;
ALTER TABLE outbox ADD COLUMN domain_key BLOB;
-- How many times a mail server said that it will never take the letter.
ALTER TABLE outbox ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_turn ON outbox (priority, due_at, id, site_key, domain_key);
CREATE INDEX outbox_site_key ON outbox (site_key);
