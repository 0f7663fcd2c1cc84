-- After how many attempts it may have arrived: the mail server got all of it and gave no answer.
ALTER TABLE vestibule_outbox ADD COLUMN unknown_outcomes INTEGER NOT NULL DEFAULT 0;
