-- Links and messages to people who have no account yet: a sign-up that is to be confirmed, an invitation.
CREATE INDEX vestibule_links_newcomers ON vestibule_links (recipient) WHERE user_id IS NULL;
CREATE INDEX vestibule_outbox_newcomers ON vestibule_outbox (recipient) WHERE user_id IS NULL;
