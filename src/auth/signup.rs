//! Signing up.

use super::outbox::Letter;
use super::store::NewUser;
use super::{Auth, Client, Email, Name, Password, User, UserId, WeakPassword};
use crate::Error;

/// What somebody who signs up has said.
pub(crate) struct SignUp {
    pub(crate) email: Email,
    pub(crate) password: Password,
    pub(crate) name: Option<Name>,
}

/// Why somebody cannot sign up like this.
pub(crate) enum SignUpError {
    /// The address has an account.
    EmailTaken,
    /// The password does not meet the policy.
    WeakPassword(WeakPassword),
    /// Not their fault.
    Failed(Error),
}

impl From<Error> for SignUpError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Auth {
    /// Makes an account and puts the letter that verifies its address into the outbox, both or
    /// neither.
    pub(crate) async fn sign_up(&self, form: SignUp, client: &Client) -> Result<User, SignUpError> {
        let SignUp { email, password, name } = form;
        let password = self
            .check_new_password(password, &email, name.as_ref())
            .await?
            .map_err(SignUpError::WeakPassword)?;
        let password_hash = self.hasher.hash(&password.0).await?;
        let (id, now) = (UserId::new(), self.clock.now());
        let mut tx = self.store.begin().await?;
        let new =
            NewUser { id, email: &email, name: name.as_ref(), password_hash: &password_hash, now };
        if !tx.insert_user(new).await? {
            return Err(SignUpError::EmailTaken);
        }
        tx.insert_letter(&self.letter(Letter::VerifyEmail, id, client)).await?;
        tx.commit().await?;
        self.wake_postman();
        Ok(User { id, email, name, email_verified_at: None, created_at: now })
    }
}
