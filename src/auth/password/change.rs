//! Changing the password while signed in.

use std::time::Duration;

use crate::auth::change::REPEATED_WITHIN;
use crate::auth::events::Event;
use crate::auth::store::{EndedSession, RenewedRow};
use crate::auth::{
    Auth, Client, KnownDevice, Limited, NewPassword, NewSession, Password, PasswordError,
    PasswordProof, Refused, Session, SessionToken, User, WeakPassword, WrongCredentials,
};
use crate::mail::Message;

/// Why a password change is refused.
pub(crate) enum ChangePasswordError {
    /// One or both of the passwords.
    Passwords {
        /// Whether the current one is wrong, or was changed in the meantime.
        is_current_wrong: bool,
        /// Why the new one does not meet the policy.
        weak: Option<WeakPassword>,
    },
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
        self.charge_change(session).await?;
        let (new, left) = self.check_new(user, new, client).await?;
        // Both are judged, so that both mistakes are shown at once.
        let proof = self.check_current(user, current, client, left).await?;
        let (new, proof) = match (new, proof) {
            (Ok(new), Ok(proof)) => (new, proof),
            (Ok(new), Err(WrongCredentials)) => {
                return self.change_again(token, &new.0, client).await;
            }
            (Err(weak), proof) => return Err(wrong(proof.is_err(), Some(weak))),
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
        // Whoever knew the old password may have asked for another address.
        change.forget_new_email(user.id).await?;
        let renewed = self.insert_session(&mut change, device, session.remembered, client).await?;
        let ended = EndedSession { digest: token.digest().to_vec(), id: session.id };
        change.insert_renewed_session(ended, renewed.id, user.id, now).await?;
        change.changes_user(user.id);
        if self.may_notify(&mut change, user, has_room, client).await? {
            change.mail(self.message(Message::PasswordChanged, user, client)).await?;
        }
        change.record(Event::PasswordChanged, Some(user.id)).await?;
        change.commit().await?;
        Ok(renewed)
    }

    /// What is wrong with the passwords of a form that is refused anyway, as far as they were given.
    pub(crate) async fn check_change(
        &self,
        session: &Session,
        current: Option<Result<&Password, PasswordError>>,
        new: Option<Password>,
        client: &Client,
    ) -> Result<(), Refused<ChangePasswordError>> {
        self.charge_change(session).await?;
        let user = &session.user;
        let (mut weak, mut left) = (None, self.config.hashing.max_wait);
        if let Some(new) = new {
            let (judged, still_left) = self.check_new(user, new, client).await?;
            (weak, left) = (judged.err(), still_left);
        }
        let is_current_wrong = match current {
            Some(current) => self.check_current(user, current.ok(), client, left).await?.is_err(),
            None => false,
        };
        if is_current_wrong || weak.is_some() { Err(wrong(is_current_wrong, weak)) } else { Ok(()) }
    }

    /// Whether the new password may be set, and how much longer this request may wait for hashes.
    async fn check_new(
        &self,
        user: &User,
        new: Password,
        client: &Client,
    ) -> Result<(Result<NewPassword, WeakPassword>, Duration), Limited> {
        // Given back at the end: the sign-in that follows takes its own.
        let mut slot = self.hasher.slot_for(user.id, client);
        let new =
            self.check_new_password(new, Some(&user.email), user.name.as_ref(), &mut slot).await;
        Ok((unless_limited(new)?, slot.left()))
    }

    /// Whether the current password is right; counted like a sign-in.
    async fn check_current(
        &self,
        user: &User,
        current: Option<&Password>,
        client: &Client,
        left: Duration,
    ) -> Result<Result<PasswordProof, WrongCredentials>, Limited> {
        let proof = self.verify_password_within(user.email.as_str(), current, client, left).await;
        unless_limited(proof)
    }

    /// Handles a form sent twice, when the first one has already changed the password.
    async fn change_again(
        &self,
        token: &SessionToken,
        new: &Password,
        client: &Client,
    ) -> Result<NewSession, Refused<ChangePasswordError>> {
        let again = self.renew_again(token, new, client).await?;
        again.ok_or_else(|| wrong(true, None))
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
        let proof = self.verify_password(user.email.key(), Some(new), client).await;
        let Ok(proof) = unless_limited(proof)? else { return Ok(None) };
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

fn wrong(is_current_wrong: bool, weak: Option<WeakPassword>) -> Refused<ChangePasswordError> {
    Refused::Because(ChangePasswordError::Passwords { is_current_wrong, weak })
}

/// The verdict on one password, unless it has to wait for another time.
fn unless_limited<T, R>(judged: Result<T, Refused<R>>) -> Result<Result<T, R>, Limited> {
    match judged {
        Ok(right) => Ok(Ok(right)),
        Err(Refused::Because(reason)) => Ok(Err(reason)),
        Err(Refused::Wait(wait)) => Err(Limited::Wait(wait)),
        Err(Refused::Failed(error)) => Err(Limited::Failed(error)),
    }
}
