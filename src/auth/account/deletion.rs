//! Deleting one's account: it is disabled at once, can be restored for some days, and is then erased.

use std::time::Duration;

use log::warn;

use super::DeleteError;
use crate::Error;
use crate::auth::change::{Change, REPEATED_WITHIN};
use crate::auth::events::Event;
use crate::auth::link::{OpenedLink, Purpose};
use crate::auth::store::BATCH;
use crate::auth::{Auth, Client, Password, Refused, Session, User, UserId, WrongCredentials};
use crate::clock::Timestamp;
use crate::mail::Message;

/// The longest time for which a deleted account can be restored.
pub(crate) const LONGEST_GRACE: Duration = Duration::from_hours(365 * 24);

/// The least time for which a deleted account can be restored while an earlier address can be put back.
const GRACE_AFTER_CHANGE: Duration = Duration::from_hours(7 * 24);

/// Why an account is not deleted.
pub(crate) enum DeletionError {
    /// The password is wrong.
    WrongPassword,
    /// The session has ended in the meantime, or the account has changed.
    SignedOut,
    /// The host app needs the account.
    InUse,
}

/// The link was used, or the account is erased.
pub(crate) struct CannotRestore;

impl Auth {
    /// Deletes the account of the signed-in user, who proves once more who they are. Everything ends at once; the
    /// account can be restored for `account.deletion_grace`: returns until when. Without such a time it is erased
    /// now.
    pub(crate) async fn request_deletion(
        &self,
        session: &Session,
        password: Option<&Password>,
        client: &Client,
    ) -> Result<Option<Timestamp>, Refused<DeletionError>> {
        let user = &session.user;
        self.charge_change(user.id).await?;
        let proof = self.verify_password(user.email.key(), password, client).await;
        let wrong = |WrongCredentials| DeletionError::WrongPassword;
        let proof = proof.map_err(|refused| refused.map(wrong))?;
        let has_room = self.has_outbox_room(client).await?;
        let mut change = self.begin_change(client).await?;
        let is_same = proof.user.id == user.id
            && change.lock_user_with_password(user.id, proof.password_version).await?
            && change.lock_session(session.id).await?;
        if !is_same {
            change.rollback().await;
            return Err(Refused::Because(DeletionError::SignedOut));
        }
        let mut grace = self.config.account.deletion_grace;
        // Whoever has just changed the address must not erase what its owner can still take back.
        let now = change.now;
        if change.has_former_email(user.id, now).await? {
            grace = grace.max(GRACE_AFTER_CHANGE);
        }
        if grace.is_zero() {
            return match self.erase(change, user).await {
                Ok(()) => Ok(None),
                Err(DeleteError::InUse) => Err(Refused::Because(DeletionError::InUse)),
                Err(DeleteError::Failed(error)) => Err(error.into()),
            };
        }
        change.update_deletion(user.id, now, now + grace).await?;
        change.update_password_version(user.id).await?;
        change.forget_new_email(user.id).await?;
        change.delete_sessions_of(user.id).await?;
        change.delete_renewed_sessions_of(user.id).await?;
        change.delete_links_of(user.id).await?;
        if self.may_notify(&mut change, user, has_room, client).await? {
            change.mail(self.message(Message::AccountDeletion, user, client)).await?;
        }
        change.changes_user(user.id);
        change.record(Event::DeletionAsked, Some(user.id)).await?;
        change.commit().await?;
        Ok(Some(now + grace))
    }

    /// Whether this browser has deleted its account a moment ago, so that its form was sent twice. Returns what the first
    /// one did: until when the account can be restored, or `None` if it is erased.
    pub(crate) async fn find_deletion(
        &self,
        client: &Client,
    ) -> Result<Option<Option<Timestamp>>, Error> {
        let Some(device) = client.devices.first() else { return Ok(None) };
        let Some(user) = self.store.find_account(device.user).await? else {
            return Ok(Some(None));
        };
        let since = self.clock.now() - REPEATED_WITHIN;
        let is_new = user.disabled_at.is_some_and(|at| at > since);
        Ok(user.delete_at.filter(|_| is_new).map(Some))
    }

    /// Uses the link up and enables the account again.
    pub(crate) async fn restore_account(
        &self,
        link: &OpenedLink,
        client: &Client,
    ) -> Result<(), Refused<CannotRestore>> {
        let cannot = || Refused::Because(CannotRestore);
        let OpenedLink { token, user: Some(user), .. } = link else {
            // The form was sent twice, perhaps.
            return if link.used_by.is_some() { Ok(()) } else { Err(cannot()) };
        };
        let mut change = self.begin_change(client).await?;
        let now = change.now;
        change.lock_account(user.id).await?;
        let sent = change.take_link(token.digest(), Purpose::AccountRestore, user.id, now).await?;
        if sent.is_none() || !change.update_restored(user.id).await? {
            change.rollback().await;
            return Err(cannot());
        }
        change.delete_links_for(user.id, Purpose::AccountRestore).await?;
        change.changes_user(user.id);
        change.record(Event::Restored, Some(user.id)).await?;
        Ok(change.commit().await?)
    }

    /// Erases an account with its sessions, links and waiting messages; returns `false` if there is none. What was
    /// recorded about it names nobody any more.
    pub(crate) async fn delete_account(
        &self,
        id: UserId,
        client: &Client,
    ) -> Result<bool, DeleteError> {
        self.delete_account_if(id, |_| true, client).await
    }

    async fn delete_account_if(
        &self,
        id: UserId,
        may_go: impl FnOnce(&User) -> bool,
        client: &Client,
    ) -> Result<bool, DeleteError> {
        let mut change = self.begin_change(client).await?;
        change.lock_account(id).await?;
        let Some(user) = change.find_account(id).await?.filter(may_go) else {
            change.rollback().await;
            return Ok(false);
        };
        self.erase(change, &user).await?;
        Ok(true)
    }

    /// Erases the accounts whose owners have deleted them long enough ago. Calls `beat` after each.
    pub(in crate::auth) async fn erase_due(&self, beat: impl Fn()) -> Result<(), Error> {
        loop {
            let now = self.clock.now();
            let due = self.store.list_erasable_users(now).await?;
            let mut erased = 0;
            for id in &due {
                // Asked again under the lock: it may have been taken back since it was listed.
                let is_due = |user: &User| user.delete_at.is_some_and(|at| at <= now);
                match self.delete_account_if(*id, is_due, &Client::operator()).await {
                    Ok(_) => erased += 1,
                    Err(DeleteError::InUse) => {
                        warn!("user={id} is not erased: a table of the app refers to it");
                    }
                    Err(DeleteError::Failed(error)) => return Err(error),
                }
                beat();
            }
            if erased == 0 || (due.len() as u64) < BATCH {
                return Ok(());
            }
        }
    }

    async fn erase(&self, mut change: Change<'_>, user: &User) -> Result<(), DeleteError> {
        // The owner who deleted the account has had a message, and nothing written now may name them.
        let is_told = user.delete_at.is_none() && user.email_verified_at.is_some();
        if let Err(error) = change.delete_user(user.id).await {
            change.rollback().await;
            return Err(error.into());
        }
        change.update_events_of(user.id).await?;
        if is_told {
            change.mail(self.farewell(&user.email)).await?;
        }
        change.changes_user(user.id);
        change.record_anonymously(Event::Deleted, user.id).await?;
        // A constraint may be deferred to the end of the transaction.
        Ok(change.commit().await?)
    }
}

impl From<Error> for DeleteError {
    fn from(error: Error) -> Self {
        if error.is_foreign_key_violation() { Self::InUse } else { Self::Failed(error) }
    }
}
