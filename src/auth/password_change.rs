//! A new password, for somebody who is signed in and knows the current one.

use super::device::Device;
use super::events::Event;
use super::hasher::Lane;
use super::outbox::Letter;
use super::session::{NewSession, Session};
use super::throttle::Wait;
use super::{Auth, Client, LogInError, Password, WeakPassword};
use crate::Error;

/// Why a password cannot be changed like this.
pub(crate) enum ChangePasswordError {
    /// The current password was given wrongly, or is not the current one any more.
    WrongPassword,
    /// The new password does not meet the policy.
    WeakPassword(WeakPassword),
    /// The session has ended in the meantime.
    SignedOut,
    /// Too many tries or changes, or too many others at the same time.
    Wait(Wait),
    /// Not their fault.
    Failed(Error),
}

impl Auth {
    /// Sets a new password. The current one is asked for, and a wrong one counts like a failed login
    /// (ASVS 6.2.3): whoever found an unlocked screen must not take the account over, nor guess at its
    /// password. All other sessions end and this one is renewed (ASVS 7.4.3). Links to reset the password
    /// stay good: a thief who knows it must not void those that the owner asks for.
    pub(crate) async fn change_password(
        &self,
        session: &Session,
        current: &str,
        new: Password,
        client: &Client,
    ) -> Result<NewSession, ChangePasswordError> {
        let user = &session.user;
        let lane = Lane::known(user.id, client);
        self.count_network(client).await?.map_err(ChangePasswordError::Wait)?;
        let new = self
            .check_new_password(new, &user.email, user.name.as_ref(), lane)
            .await?
            .map_err(ChangePasswordError::WeakPassword)?;
        let proof =
            self.log_in(user.email.as_str(), current, client).await.map_err(|e| match e {
                LogInError::WrongCredentials => ChangePasswordError::WrongPassword,
                LogInError::Wait(wait) => ChangePasswordError::Wait(wait),
                LogInError::Failed(error) => ChangePasswordError::Failed(error),
            })?;
        // Each sends a notice, and the address may be a stranger's who never signed up.
        self.count_password_change(user.id).await?.map_err(ChangePasswordError::Wait)?;
        let hash = self.hasher.hash(&new.0, lane).await?;
        let mut tx = self.store.begin().await?;
        // The hash took a while: of two changes at once, the one that knows the password then wins.
        if !tx.lock_user_with_password(user.id, proof.password).await? {
            return Err(ChangePasswordError::WrongPassword);
        }
        if !tx.lock_session(session.id).await? {
            return Err(ChangePasswordError::SignedOut);
        }
        let now = self.clock.now();
        let device = Device::new(user.id, tx.update_password(user.id, &hash).await?);
        tx.delete_sessions_of(user.id).await?;
        let renewed = self.insert_session(&mut tx, device, session.remembered, client).await?;
        tx.insert_letter(&self.letter(Letter::PasswordChanged, user.id, client)).await?;
        tx.insert_event(Event::PasswordChanged, Some(user.id), client, now).await?;
        tx.commit().await?;
        self.sessions.forget_user(user.id);
        Event::PasswordChanged.log(Some(user.id), client);
        self.wake_postman();
        Ok(renewed)
    }
}
