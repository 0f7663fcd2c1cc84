//! Changing the password while signed in.

use crate::auth::change::REPEATED_WITHIN;
use crate::auth::events::Event;
use crate::auth::store::{EndedSession, RenewedRow};
use crate::auth::{
    Auth, Client, KnownDevice, Limited, NewSession, Password, Refused, Session, SessionToken,
    WeakPassword, WrongCredentials,
};
use crate::mail::Message;

/// Why a password change is refused.
pub(crate) enum ChangePasswordError {
    /// The current password is wrong, or was changed in the meantime.
    WrongPassword,
    /// The new password does not meet the policy.
    WeakPassword(WeakPassword),
    /// The session has ended in the meantime.
    SignedOut,
}

impl Auth {
    /// Sets a new password. All other sessions end and this one is renewed (ASVS 7.4.3).
    ///
    /// The current password is required, and a wrong one counts as a failed sign-in (ASVS 6.2.3): somebody at an
    /// unlocked screen must neither take over the account nor guess its password. Reset links stay valid: a thief
    /// who knows the password must not void the owner's links.
    pub(crate) async fn change_password(
        &self,
        session: &Session,
        token: &SessionToken,
        current: Option<&Password>,
        new: Password,
        client: &Client,
    ) -> Result<NewSession, Refused<ChangePasswordError>> {
        let user = &session.user;
        self.charge_change(user.id).await?;
        let mut slot = self.hasher.slot_for(user.id, client);
        let new = self
            .check_new_password(new, &user.email, user.name.as_ref(), &mut slot)
            .await
            .map_err(|refused| refused.map(ChangePasswordError::WeakPassword))?;
        // Give the slot back first: the sign-in below takes its own.
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
        // Each change sends a notice, possibly to a stranger whose address was used to sign up.
        self.charge_password_change(user.id).await?;
        let mut slot = self.hasher.slot_for(user.id, client);
        slot.wait_at_most(proof.wait_left);
        let hash = self.hasher.hash(&new.0, &mut slot).await?;
        drop(slot);
        let has_room = self.has_outbox_room(client).await?;
        let mut change = self.begin_change(client).await?;
        // The password may have changed during the hash: of two concurrent changes, the first one wins.
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
        // The address is unverified: a notice to a stranger counts against the client that causes it.
        let is_due = user.email_verified_at.is_some()
            || (has_room
                && self.charge_message_from_client(&mut change, client).await?.is_counted()
                && self
                    .charge_mailbox(&mut change, &user.email, client.allowance)
                    .await?
                    .is_counted());
        if is_due {
            change.mail(self.message(Message::PasswordChanged, user, client)).await?;
        }
        change.record(Event::PasswordChanged, Some(user.id)).await?;
        change.commit().await?;
        Ok(renewed)
    }

    /// Handles a form sent twice, when the first one has already changed the password.
    async fn change_again(
        &self,
        token: &SessionToken,
        new: &Password,
        client: &Client,
    ) -> Result<NewSession, Refused<ChangePasswordError>> {
        let again = self.renew_again(token, new, client).await?;
        again.ok_or(Refused::Because(ChangePasswordError::WrongPassword))
    }

    /// A session for a browser that sends a password change again. The first change ended its session, and the
    /// browser ignored the response with the new one, which is replaced here. `None` if no such change happened, if
    /// the new session has ended too, or if the password is another one.
    pub(crate) async fn renew_again(
        &self,
        token: &SessionToken,
        new: &Password,
        client: &Client,
    ) -> Result<Option<NewSession>, Limited> {
        let (ended, now) = (token.digest(), self.clock.now());
        let found = self.store.find_renewed_session(ended, now - REPEATED_WITHIN, now).await?;
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
            change.delete_renewed_session(ended, now - REPEATED_WITHIN).await?
        } else {
            None
        };
        let Some(next) = next else {
            change.rollback().await;
            return Ok(None);
        };
        let device = KnownDevice::new(user.id, proof.password_version, &client.devices, now);
        let renewed = self.insert_session(&mut change, device, remembered, client).await?;
        // A sign-out may still arrive with the cookie of the replaced session.
        change.insert_renewed_session(next, renewed.id, user.id, now).await?;
        change.changes_user(user.id);
        change.record_visit(Event::SignedIn, user.id).await?;
        change.commit().await?;
        Ok(Some(renewed))
    }
}
