-- How many times a password was set. What was proved, or handed out, with another version is void: a log-in
-- under way, a device cookie. Counted, since clocks of several nodes differ and two things happen in one
-- millisecond.
ALTER TABLE users RENAME COLUMN devices_valid_from TO password_version;
