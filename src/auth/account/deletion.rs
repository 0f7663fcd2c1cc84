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

/// When an account that a host app needs is looked at again.
const TRIED_AGAIN_IN: Duration = Duration::from_hours(24);

/// Why an account is not deleted.
pub(crate) enum DeletionError {
    /// The password is wrong.
    WrongPassword,
    /// The session has ended in the meantime, or the account has changed.
    SignedOut,
    /// The host app needs the account.
    InUse,
}

/// What became of a deleted account.
pub(crate) struct Deletion {
    /// Until when it can be restored; `None` if it is erased.
    pub(crate) until: Option<Timestamp>,
    /// Whether its owner gets an email with a link to restore it.
    pub(crate) is_mailed: bool,
}

/// The link was used, or the account is erased.
pub(crate) struct CannotRestore;

impl Auth {
    /// Deletes the account of the signed-in user, who proves once more who they are. Everything ends at once; the
    /// account can be restored for `account.deletion_grace`. Without such a time it is erased now.
    pub(crate) async fn request_deletion(
        &self,
        session: &Session,
        password: Option<&Password>,
        client: &Client,
    ) -> Result<Deletion, Refused<DeletionError>> {
        let user = &session.user;
        self.charge_change(session).await?;
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
        let now = change.now;
        let grace = self.grace(change.has_former_email(user.id, now).await?);
        if grace.is_zero() {
            return match self.erase(change, user).await {
                Ok(()) => Ok(Deletion { until: None, is_mailed: false }),
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
        let is_mailed = self.may_notify(&mut change, user, has_room, client).await?;
        if is_mailed {
            change.mail(self.message(Message::AccountDeletion, user, client)).await?;
        }
        change.changes_user(user.id);
        change.record(Event::DeletionAsked, Some(user.id)).await?;
        change.commit().await?;
        Ok(Deletion { until: Some(now + grace), is_mailed })
    }

    /// How long the account of this user can be restored once it is deleted.
    pub(crate) async fn deletion_grace(&self, user: UserId) -> Result<Duration, Error> {
        Ok(self.grace(self.store.has_former_email(user, self.clock.now()).await?))
    }

    /// Whoever has just changed the address must not erase what its owner can still take back.
    fn grace(&self, has_former_email: bool) -> Duration {
        let grace = self.config.account.deletion_grace;
        if has_former_email { grace.max(GRACE_AFTER_CHANGE) } else { grace }
    }

    /// Whether this browser has deleted the account that it opened last.
    pub(crate) async fn find_deletion_by(
        &self,
        client: &Client,
    ) -> Result<Option<Deletion>, Error> {
        match client.devices.first() {
            Some(device) => self.find_deletion(device.user).await,
            None => Ok(None),
        }
    }

    /// Whether this account was deleted a moment ago, so that the form was sent twice. Returns what the first one did.
    pub(crate) async fn find_deletion(&self, user: UserId) -> Result<Option<Deletion>, Error> {
        let Some(user) = self.store.find_account(user).await? else {
            return Ok(Some(Deletion { until: None, is_mailed: false }));
        };
        let since = self.clock.now() - REPEATED_WITHIN;
        let is_new = user.disabled_at.is_some_and(|at| at > since);
        // Whether the email to an address that was never verified is within the limits is not known any more.
        let is_mailed = user.email_verified_at.is_some();
        Ok(user.delete_at.filter(|_| is_new).map(|at| Deletion { until: Some(at), is_mailed }))
    }

    /// Uses the link up and enables the account again.
    pub(crate) async fn restore_account(
        &self,
        link: &OpenedLink,
        client: &Client,
    ) -> Result<(), Refused<CannotRestore>> {
        let OpenedLink { token, user: Some(user), .. } = link else {
            return self.restore_again(link).await;
        };
        let mut change = self.begin_change(client).await?;
        let now = change.now;
        change.lock_account(user.id).await?;
        let sent = change.take_link(token.digest(), Purpose::AccountRestore, user.id, now).await?;
        if sent.is_none() || !change.update_restored(user.id).await? {
            change.rollback().await;
            return self.restore_again(link).await;
        }
        change.delete_links_for(user.id, Purpose::AccountRestore).await?;
        change.changes_user(user.id);
        change.record(Event::Restored, Some(user.id)).await?;
        Ok(change.commit().await?)
    }

    /// The form was sent twice, or the link is dead.
    async fn restore_again(&self, link: &OpenedLink) -> Result<(), Refused<CannotRestore>> {
        if self.was_just_used(link).await? { Ok(()) } else { Err(Refused::Because(CannotRestore)) }
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
                        // Many of them must not keep others from being erased.
                        self.store.update_delete_at(*id, now + TRIED_AGAIN_IN).await?;
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
