-- After how many attempts the message may have arrived: the server got all of it and gave no answer.
ALTER TABLE vestibule_outbox ADD COLUMN unknown_outcomes INTEGER NOT NULL DEFAULT 0;
