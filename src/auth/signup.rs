//! Signing up.

use super::events::Event;
use super::hasher::Lane;
use super::outbox::Letter;
use super::password::PasswordVersion;
use super::session::LoggedIn;
use super::store::NewUser;
use super::throttle::Wait;
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
    /// Too many sign-ups from this network, or too many others at the same time.
    Wait(Wait),
    /// Not their fault.
    Failed(Error),
}

impl Auth {
    /// Makes an account and puts the letter that verifies its address into the outbox, both or
    /// neither.
    pub(crate) async fn sign_up(
        &self,
        form: SignUp,
        client: &Client,
    ) -> Result<LoggedIn, SignUpError> {
        let SignUp { email, password, name } = form;
        self.count_network(client).await?.map_err(SignUpError::Wait)?;
        let password = self
            .check_new_password(password, &email, name.as_ref(), Lane::Strangers)
            .await?
            .map_err(SignUpError::WeakPassword)?;
        let password_hash = self.hasher.hash(&password.0, Lane::Strangers).await?;
        let (id, now) = (UserId::new(), self.clock.now());
        let mut tx = self.store.begin().await?;
        let new =
            NewUser { id, email: &email, name: name.as_ref(), password_hash: &password_hash, now };
        if !tx.insert_user(new).await? {
            return Err(SignUpError::EmailTaken);
        }
        let mut letter = self.letter(Letter::VerifyEmail, id, client);
        // One letter too many waits; without it there would be an account that nobody can verify.
        if let Err(at) = self.count_letter(&mut tx, Letter::VerifyEmail, &email, client).await? {
            letter.due_at = at;
        }
        tx.insert_letter(&letter).await?;
        tx.insert_event(Event::SignedUp, Some(id), client, now).await?;
        tx.commit().await?;
        Event::SignedUp.log(Some(id), client);
        self.wake_postman();
        let user = User { id, email, name, email_verified_at: None, created_at: now };
        Ok(LoggedIn { user, password: PasswordVersion::default() })
    }
}
