//! Showing that an address is one's own: get a letter, follow its link, press the button.

use super::events::Event;
use super::outbox::{Letter, MOST_OPEN_LINKS};
use super::session::{LogInError, LoggedIn, Session};
use super::store::Purpose;
use super::throttle::Wait;
use super::{Auth, Client, User, VerifyToken};
use crate::Error;

/// Why an address cannot be verified like this.
pub(crate) enum VerifyEmailError {
    /// The link was used, is too old, or never was one.
    DeadLink,
    /// Whoever pressed the button has not shown that the account is theirs.
    WrongPassword,
    /// The session has ended in the meantime.
    SignedOut,
    /// Too many wrong passwords, or too many others at the same time.
    Wait(Wait),
    /// Not their fault.
    Failed(Error),
}

impl Auth {
    /// Sends the letter again; `false` if enough of them with good links have been sent.
    pub(crate) async fn request_verification(
        &self,
        user: &User,
        client: &Client,
    ) -> Result<bool, Error> {
        let letter = self.letter(Letter::VerifyEmail, user.id, client);
        let now = self.clock.now();
        let open = self.store.count_open_tokens(user.id, Purpose::VerifyEmail, now).await?;
        let mut tx = self.store.begin().await?;
        let counted = self.count_letter(&mut tx, Letter::VerifyEmail, &user.email, client).await?;
        if open >= MOST_OPEN_LINKS || counted.is_err() {
            return Ok(false);
        }
        tx.insert_letter(&letter).await?;
        tx.commit().await?;
        self.wake_postman();
        Ok(true)
    }

    /// Whose address the link verifies, without using it up; `None` if the link is dead.
    pub(crate) async fn find_verify_link(
        &self,
        token: &VerifyToken,
    ) -> Result<Option<User>, Error> {
        self.store.find_token(token.digest(), Purpose::VerifyEmail, self.clock.now()).await
    }

    /// Uses the link up and notes that the address is the account's own.
    ///
    /// Following a link is not enough: somebody may have signed up with a stranger's address and a
    /// password of their own, and wait for the stranger to click (account pre-hijacking). So the
    /// browser must be signed in to this very account, or give its password: then it may be signed in.
    pub(crate) async fn verify_email(
        &self,
        token: &VerifyToken,
        signed_in: Option<&Session>,
        password: &str,
        client: &Client,
    ) -> Result<Option<LoggedIn>, VerifyEmailError> {
        let user = self.find_verify_link(token).await?.ok_or(VerifyEmailError::DeadLink)?;
        let own = signed_in.filter(|session| session.user.id == user.id);
        let mut proved = None;
        if own.is_none() {
            if password.is_empty() {
                return Err(VerifyEmailError::WrongPassword);
            }
            let logged_in = self.log_in(user.email.key(), password, client).await;
            proved = Some(logged_in.map_err(|error| match error {
                LogInError::WrongCredentials => VerifyEmailError::WrongPassword,
                LogInError::Wait(wait) => VerifyEmailError::Wait(wait),
                LogInError::Failed(error) => VerifyEmailError::Failed(error),
            })?);
        }
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        tx.lock_user(user.id).await?;
        if let Some(session) = own
            && !tx.lock_session(session.id).await?
        {
            return Err(VerifyEmailError::SignedOut);
        }
        let sent_to = tx
            .take_token(token.digest(), Purpose::VerifyEmail, user.id, now)
            .await?
            .ok_or(VerifyEmailError::DeadLink)?;
        if !tx.update_verified(user.id, &sent_to, now).await? {
            return Err(VerifyEmailError::DeadLink);
        }
        tx.delete_tokens_for(user.id, Purpose::VerifyEmail).await?;
        tx.insert_event(Event::EmailVerified, Some(user.id), client, now).await?;
        tx.commit().await?;
        self.sessions.forget_user(user.id);
        Event::EmailVerified.log(Some(user.id), client);
        Ok(proved)
    }
}
