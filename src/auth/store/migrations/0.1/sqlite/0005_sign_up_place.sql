-- How much time of its network's pace this sign-up took: what it gives back when the address is confirmed,
-- from wherever that is done.
ALTER TABLE users ADD COLUMN signed_up_millis INTEGER;
