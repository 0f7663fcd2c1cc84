//! Verifying an email address: receive a message, follow its link, press the button.

use crate::Error;
use crate::auth::change::REPEATED_WITHIN;
use crate::auth::events::Event;
use crate::auth::link::{MOST_OPEN, OpenedLink, Purpose};
use crate::auth::{
    Auth, Client, Limited, LinkToken, Password, PasswordProof, Refused, Session, WrongCredentials,
};
use crate::mail::Message;

/// Why an address cannot be verified.
pub(crate) enum VerifyEmailError {
    /// The link was used, has expired, or never existed.
    DeadLink,
    /// The client has not shown that the account is theirs.
    WrongPassword,
    /// The session has ended in the meantime.
    SignedOut,
}

/// The result of asking for another verification message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerificationRequest {
    /// It is on its way.
    Sent,
    /// An earlier message is still in the outbox.
    IsWaiting,
    /// The user has enough valid links.
    EnoughLinks,
    /// The rate limit is reached.
    TooMany,
}

impl Auth {
    /// Sends the message again, within the rate limits.
    pub(crate) async fn request_verification(
        &self,
        session: &Session,
        client: &Client,
    ) -> Result<VerificationRequest, Error> {
        let user = &session.user;
        match self.charge_change(session).await {
            Ok(()) => {}
            Err(Limited::Wait(_)) => return Ok(VerificationRequest::TooMany),
            Err(Limited::Failed(error)) => return Err(error),
        }
        let message = self.message(Message::VerifyEmail, user, client);
        let now = self.clock.now();
        if self.store.is_message_put_off(user.id, &message.message, now).await? {
            return Ok(VerificationRequest::IsWaiting);
        }
        if !self.has_outbox_room(client).await? {
            return Ok(VerificationRequest::TooMany);
        }
        let mut change = self.begin_change(client).await?;
        if change.count_open_links(user.id, Purpose::VerifyEmail, now).await? >= MOST_OPEN {
            change.rollback().await;
            return Ok(VerificationRequest::EnoughLinks);
        }
        // Count the client first: one over its limit must not use up somebody else's quota.
        if !self.charge_message_from_client(&mut change, client).await?.is_counted() {
            change.rollback().await;
            return Ok(VerificationRequest::TooMany);
        }
        let to_address =
            self.charge_message_to_address(&mut change, Message::VerifyEmail, &user.email).await?;
        let to_mailbox = self.charge_mailbox(&mut change, &user.email, client.allowance).await?;
        if !(to_address.is_counted() && to_mailbox.is_counted()) {
            change.rollback().await;
            return Ok(VerificationRequest::EnoughLinks);
        }
        change.mail(message).await?;
        change.commit().await?;
        Ok(VerificationRequest::Sent)
    }

    /// Uses the link up and marks the address as verified.
    ///
    /// Following a link is not enough: somebody may have signed up with a stranger's address and a password of
    /// their own, and wait for the stranger to click (account pre-hijacking). So the client must be signed in to
    /// this account or send its password, which may also sign it in.
    pub(crate) async fn verify_email(
        &self,
        link: &OpenedLink,
        signed_in: Option<&Session>,
        password: Option<&Password>,
        client: &Client,
    ) -> Result<Option<PasswordProof>, Refused<VerifyEmailError>> {
        let OpenedLink { token, user, .. } = link;
        let Some(user) = user else {
            return self.verify_again(token, signed_in, password, client).await;
        };
        let own = signed_in.filter(|session| session.user.id == user.id);
        let mut proved = None;
        if own.is_none() {
            if password.is_none() {
                return Err(Refused::Because(VerifyEmailError::WrongPassword));
            }
            let proof = self.verify_password(user.email.key(), password, client).await;
            let wrong = |WrongCredentials| VerifyEmailError::WrongPassword;
            proved = Some(proof.map_err(|refused| refused.map(wrong))?);
        }
        let mut change = self.begin_change(client).await?;
        let now = change.now;
        change.lock_user(user.id).await?;
        if let Some(session) = own
            && !change.lock_session(session.id).await?
        {
            change.rollback().await;
            return Err(Refused::Because(VerifyEmailError::SignedOut));
        }
        let sent = change.take_link(token.digest(), Purpose::VerifyEmail, user.id, now).await?;
        let Some(sent) = sent else {
            change.rollback().await;
            return self.verify_again(token, signed_in, password, client).await;
        };
        if !change.update_verified(user.id, &sent.recipient, now).await? {
            change.rollback().await;
            return Err(Refused::Because(VerifyEmailError::DeadLink));
        }
        change.delete_links_for(user.id, Purpose::VerifyEmail).await?;
        self.return_sign_up(&mut change, user.id).await?;
        change.changes_user(user.id);
        change.record(Event::EmailVerified, Some(user.id)).await?;
        change.commit().await?;
        Ok(proved)
    }

    /// The link was used before: if it verified the address a moment ago, the form was sent twice. The client needs
    /// the same proof as the first time.
    async fn verify_again(
        &self,
        token: &LinkToken,
        signed_in: Option<&Session>,
        password: Option<&Password>,
        client: &Client,
    ) -> Result<Option<PasswordProof>, Refused<VerifyEmailError>> {
        let now = self.clock.now();
        let (digest, since) = (token.digest(), now - REPEATED_WITHIN);
        let found = self.store.find_used_link(digest, Purpose::VerifyEmail, since, now).await?;
        let user = found.filter(|user| user.email_verified_at.is_some());
        let dead = || Refused::Because(VerifyEmailError::DeadLink);
        let user = user.ok_or_else(dead)?;
        if signed_in.is_some_and(|session| session.user.id == user.id) {
            return Ok(None);
        }
        // Without a password, a used link reveals only that it was used.
        let password = password.ok_or_else(dead)?;
        let proof = self.verify_password(user.email.key(), Some(password), client).await;
        let wrong = |WrongCredentials| VerifyEmailError::DeadLink;
        proof.map(Some).map_err(|refused| refused.map(wrong))
    }
}
