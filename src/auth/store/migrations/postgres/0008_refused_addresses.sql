-- When a mail server last refused the address for good; NULL once it has taken an email.
ALTER TABLE vestibule_users ADD COLUMN email_refused_at BIGINT;
