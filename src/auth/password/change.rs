//! A new password, for somebody who is signed in and knows the current one.

use std::time::Duration;

use crate::auth::events::Event;
use crate::auth::store::{EndedSession, RenewedRow};
use crate::auth::{
    Auth, Client, KnownDevice, Limited, NewSession, Password, Refused, Session, SessionToken,
    WeakPassword, WrongCredentials,
};
use crate::mail::Message;

/// For how long a form that comes again is answered like the first time.
pub(in crate::auth) const AGAIN_WITHIN: Duration = Duration::from_mins(10);

/// Why a password cannot be changed like this.
pub(crate) enum ChangePasswordError {
    /// The current password was given wrongly, or is not the current one any more.
    WrongPassword,
    /// The new password does not meet the policy.
    WeakPassword(WeakPassword),
    /// The session has ended in the meantime.
    SignedOut,
}

impl Auth {
    /// Sets a new password. The current one is asked for, and a wrong one counts like a failed login
    /// (ASVS 6.2.3): whoever found an unlocked screen must not take the account over, nor guess at its
    /// password. All other sessions end and this one is renewed (ASVS 7.4.3). Links to reset the password
    /// stay good: a thief who knows it must not void those that the owner asks for.
    pub(crate) async fn change_password(
        &self,
        session: &Session,
        token: &SessionToken,
        current: Option<&Password>,
        new: Password,
        client: &Client,
    ) -> Result<NewSession, Refused<ChangePasswordError>> {
        let user = &session.user;
        self.count_act(user.id).await?;
        let mut slot = self.hasher.slot_for(user.id, client);
        let new = self
            .check_new_password(new, &user.email, user.name.as_ref(), &mut slot)
            .await
            .map_err(|refused| refused.map(ChangePasswordError::WeakPassword))?;
        // One turn at a time: the next one is the log-in's.
        let left = slot.left();
        drop(slot);
        let proof = self.verify_password_within(user.email.as_str(), current, client, left).await;
        let proof = match proof {
            Err(Refused::Because(WrongCredentials)) => {
                return self.change_again(token, &new.0, client).await;
            }
            proof => {
                proof.map_err(|refused| refused.map(|_| ChangePasswordError::WrongPassword))?
            }
        };
        // Each sends a notice, and the address may be a stranger's who never signed up.
        self.count_password_change(user.id).await?;
        let mut slot = self.hasher.slot_for(user.id, client);
        slot.wait_at_most(proof.wait_left);
        let hash = self.hasher.hash(&new.0, &mut slot).await?;
        drop(slot);
        let has_room = self.has_outbox_room(client).await?;
        let mut change = self.begin_change(client).await?;
        // The hash took a while: of two changes at once, the one that knows the password then wins.
        if !change.lock_user_with_password(user.id, proof.password_version).await? {
            change.rollback().await;
            return self.change_again(token, &new.0, client).await;
        }
        if !change.lock_session(session.id).await? {
            change.rollback().await;
            return Err(Refused::Because(ChangePasswordError::SignedOut));
        }
        let now = change.now;
        let version = change.update_password(user.id, &hash).await?;
        let device = KnownDevice::new(user.id, version, &[], now);
        change.delete_sessions_of(user.id).await?;
        let renewed = self.insert_session(&mut change, device, session.remembered, client).await?;
        let ended = EndedSession { digest: token.digest().to_vec(), id: session.id };
        change.insert_renewed_session(ended, renewed.id, user.id, now).await?;
        change.changes_user(user.id);
        // Whose address it is was never shown: a notice to a stranger counts for whoever causes it.
        let is_due = user.email_verified_at.is_some()
            || (has_room
                && self.count_message_of(&mut change, client).await?.is_counted()
                && self
                    .count_mailbox(&mut change, &user.email, client.allowance)
                    .await?
                    .is_counted());
        if is_due {
            change.mail(self.message(Message::PasswordChanged, user, client)).await?;
        }
        change.record(Event::PasswordChanged, Some(user.id)).await?;
        change.commit().await?;
        Ok(renewed)
    }

    /// The form came twice, and the first one has changed the password meanwhile.
    async fn change_again(
        &self,
        token: &SessionToken,
        new: &Password,
        client: &Client,
    ) -> Result<NewSession, Refused<ChangePasswordError>> {
        let again = self.renew_again(token, new, client).await?;
        again.ok_or(Refused::Because(ChangePasswordError::WrongPassword))
    }

    /// A session for a browser that sends a change of its password again. The change has ended the session that
    /// it comes with, and the answer that brought the next one was never looked at: that one is replaced. `None`
    /// if this was no such session, if the next one has ended too, or if it is another password.
    pub(crate) async fn renew_again(
        &self,
        token: &SessionToken,
        new: &Password,
        client: &Client,
    ) -> Result<Option<NewSession>, Limited> {
        let (ended, now) = (token.digest(), self.clock.now());
        let found = self.store.find_renewed_session(ended, now - AGAIN_WITHIN, now).await?;
        let Some((remembered, user)) = found.map(RenewedRow::into_parts) else {
            return Ok(None);
        };
        let proof = match self.verify_password(user.email.key(), Some(new), client).await {
            Ok(proof) => proof,
            Err(Refused::Because(WrongCredentials)) => return Ok(None),
            Err(Refused::Wait(wait)) => return Err(Limited::Wait(wait)),
            Err(Refused::Failed(error)) => return Err(Limited::Failed(error)),
        };
        let mut change = self.begin_change(client).await?;
        let next = if change.lock_user_with_password(user.id, proof.password_version).await? {
            change.delete_renewed_session(ended, now - AGAIN_WITHIN).await?
        } else {
            None
        };
        let Some(next) = next else {
            change.rollback().await;
            return Ok(None);
        };
        let device = KnownDevice::new(user.id, proof.password_version, &client.devices, now);
        let renewed = self.insert_session(&mut change, device, remembered, client).await?;
        // A log-out may still come with that one.
        change.insert_renewed_session(next, renewed.id, user.id, now).await?;
        change.changes_user(user.id);
        change.record_visit(Event::SignedIn, user.id).await?;
        change.commit().await?;
        Ok(Some(renewed))
    }
}
