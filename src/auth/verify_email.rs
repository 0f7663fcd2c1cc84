//! Showing that an address is one's own: get a letter, follow its link, press the button.

use super::outbox::Letter;
use super::store::Purpose;
use super::{Auth, Client, User, VerifyToken};
use crate::Error;

/// Why an address cannot be verified like this.
pub(crate) enum VerifyEmailError {
    /// The link was used, is too old, or never was one.
    DeadLink,
    /// Whoever pressed the button has not shown that the account is theirs.
    WrongPassword,
    /// Not their fault.
    Failed(Error),
}

impl From<Error> for VerifyEmailError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Auth {
    /// Sends the letter again.
    pub(crate) async fn request_verification(
        &self,
        user: &User,
        client: &Client,
    ) -> Result<(), Error> {
        self.store.insert_letter(&self.letter(Letter::VerifyEmail, user.id, client)).await?;
        self.wake_postman();
        Ok(())
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
    /// browser must be signed in to this very account, or give its password.
    pub(crate) async fn verify_email(
        &self,
        token: &VerifyToken,
        signed_in: Option<&User>,
        password: &str,
    ) -> Result<User, VerifyEmailError> {
        let user = self.find_verify_link(token).await?.ok_or(VerifyEmailError::DeadLink)?;
        let is_theirs = signed_in.is_some_and(|signed_in| signed_in.id == user.id);
        if !is_theirs && !self.proves(&user.email, password).await? {
            return Err(VerifyEmailError::WrongPassword);
        }
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let sent_to = tx
            .take_token(token.digest(), Purpose::VerifyEmail, user.id, now)
            .await?
            .ok_or(VerifyEmailError::DeadLink)?;
        if !tx.update_verified(user.id, &sent_to, now).await? {
            return Err(VerifyEmailError::DeadLink);
        }
        tx.delete_tokens_for(user.id, Purpose::VerifyEmail).await?;
        tx.commit().await?;
        Ok(user)
    }
}
