//! Sessions.

mod cache;
mod known_device;
mod manage;
mod new_device;
mod recent_login;

use std::sync::Arc;
use std::time::Duration;

use log::warn;
use uuid::Uuid;

pub(in crate::auth) use cache::SessionCache;
pub(crate) use known_device::{KNOWN_FOR, KnownDevice};
pub(crate) use manage::EndSessionError;
pub(crate) use recent_login::RecentLoginError;

use super::change::{Change, REPEATED_WITHIN};
use super::events::Event;
use super::login::PasswordProof;
use super::password::PasswordVersion;
use super::store::Tx;
use super::{Auth, Client, SessionToken, User, UserId};
use crate::clock::Timestamp;
use crate::error::{Error, error_chain};

/// A valid session of a user.
pub(crate) struct Session {
    /// The ID of the session, which is not secret.
    pub(crate) id: Uuid,
    pub(crate) user: User,
    /// Whether it survives closing the browser ("keep me signed in").
    pub(in crate::auth) remembered: bool,
    pub(crate) created_at: Timestamp,
    /// Accurate to the minute.
    pub(crate) last_seen_at: Timestamp,
    /// When the user last proved their identity.
    pub(in crate::auth) authenticated_at: Timestamp,
    /// The absolute end of the session.
    pub(crate) expires_at: Timestamp,
}

/// What a newly signed-in browser receives.
pub(crate) struct NewSession {
    pub(crate) token: SessionToken,
    /// Whether it should survive closing the browser.
    pub(crate) remember: bool,
    /// Proof that it opened this account.
    pub(crate) device: KnownDevice,
    /// The ID of the session.
    pub(in crate::auth) id: Uuid,
}

/// The error for a session that ended in the meantime.
pub(crate) struct SignedOut;

/// `last_seen_at` is written at most this often, so that most requests only read.
const SEEN_EVERY: Duration = Duration::from_secs(60);

impl Auth {
    /// Signs a user in, in place of the browser's earlier session (`replaced`). The token is always new, so that
    /// nobody can plant theirs in a victim's browser (session fixation).
    ///
    /// Returns `None` if the password was changed or the account disabled since it was checked: an attacker with
    /// the old password must not get in beside a reset. Also if the address has to be verified first.
    pub(crate) async fn start_session(
        &self,
        proof: &PasswordProof,
        remember: bool,
        client: &Client,
        replaced: Option<SessionToken>,
    ) -> Result<Option<NewSession>, Error> {
        let user = proof.user.id;
        let version = proof.password_version;
        let mut change = self.begin_change(client).await?;
        let mut may_begin = change.lock_user_with_password(user, version).await?;
        if may_begin && !self.may_have_session(&proof.user) {
            // A link may have verified the address after the password was checked.
            let now = change.find_account(user).await?;
            may_begin = now.is_some_and(|user| self.may_have_session(&user));
        }
        if !may_begin {
            change.rollback().await;
            return Ok(None);
        }
        self.notify_of_new_device(&mut change, &proof.user, client).await?;
        let new =
            self.begin_session(&mut change, user, version, remember, client, replaced).await?;
        change.commit().await?;
        Ok(Some(new))
    }

    /// Whether this user may be signed in: not before the address is verified, if it has to be.
    fn may_have_session(&self, user: &User) -> bool {
        user.email_verified_at.is_some() || !self.config.requires_verification()
    }

    /// Inserts the session of a user who signs in, in place of the browser's earlier one. The user's row must be
    /// locked.
    pub(in crate::auth) async fn begin_session(
        &self,
        change: &mut Change<'_>,
        user: UserId,
        password: PasswordVersion,
        remember: bool,
        client: &Client,
        replaced: Option<SessionToken>,
    ) -> Result<NewSession, Error> {
        if let Some(old) = replaced {
            change.delete_session(old.digest()).await?;
            change.ends_session(old.digest());
        }
        let now = change.now;
        let device = KnownDevice::new(user, password, &client.devices, now);
        let new = self.insert_session(change, device, remember, client).await?;
        let most = self.config.session.max_per_account;
        for ended in change.delete_surplus_sessions(user, most, now).await? {
            change.ends_session(ended);
        }
        change.record_visit(Event::SignedIn, user).await?;
        Ok(new)
    }

    /// Inserts a session with a new token, for this device.
    pub(in crate::auth) async fn insert_session(
        &self,
        tx: &mut Tx,
        device: KnownDevice,
        remember: bool,
        client: &Client,
    ) -> Result<NewSession, Error> {
        let (token, now) = (SessionToken::new()?, self.clock.now());
        let expires_at = now + self.absolute_ttl(remember);
        let id = tx
            .insert_session(token.digest(), device.user, remember, now, expires_at, client)
            .await?;
        Ok(NewSession { token, remember, device, id })
    }

    fn absolute_ttl(&self, remembered: bool) -> Duration {
        let limits = &self.config.session;
        if remembered { limits.remembered_absolute_ttl } else { limits.absolute_ttl }
    }

    pub(in crate::auth) fn idle_ttl(&self, remembered: bool) -> Duration {
        let limits = &self.config.session;
        if remembered { limits.remembered_idle_ttl } else { limits.idle_ttl }
    }

    /// Finds the session of a sealed cookie, if it has not ended, and records its use.
    pub(crate) async fn find_session(
        &self,
        sealed: &str,
        unseal: impl FnOnce() -> Option<SessionToken>,
    ) -> Result<Option<Arc<Session>>, Error> {
        let now = self.clock.now();
        let digest = self.sessions.digest_of(sealed, || Some(unseal()?.digest()));
        let Some(digest) = digest else { return Ok(None) };
        if let Some(session) = self.sessions.get(digest, now)
            && now.since(session.last_seen_at) < SEEN_EVERY
            && session.expires_at > now
        {
            return Ok(Some(session));
        }
        let lookup = self.sessions.begin_lookup();
        let Some(row) = self.store.find_session(digest, now).await? else { return Ok(None) };
        if row.last_seen_at + self.idle_ttl(row.remembered) <= now {
            return Ok(None);
        }
        let mut session = row.into_session();
        if !self.may_have_session(&session.user) {
            return Ok(None);
        }
        if now.since(session.last_seen_at) >= SEEN_EVERY {
            // A page view must not fail because the database cannot be written.
            if self.sessions.is_first_to_record(digest, now, SEEN_EVERY)
                && let Err(error) = self.store.update_last_seen(digest, now).await
            {
                self.unrecorded_sessions.note(|times| {
                    let cause = error_chain(&error);
                    warn!("that {times} sessions are in use was not noted: {cause}");
                });
            }
            session.last_seen_at = now;
        }
        let session = Arc::new(session);
        self.sessions.put(lookup, digest, &session, now);
        Ok(Some(session))
    }

    /// Ends a session in the database, so that a copy of its cookie becomes worthless; also the session that
    /// replaced it after a password change. Returns whether there was one.
    pub(crate) async fn sign_out(
        &self,
        token: &SessionToken,
        client: &Client,
    ) -> Result<bool, Error> {
        let (digest, now) = (token.digest(), self.clock.now());
        let since = now - REPEATED_WITHIN;
        // A dead cookie must not cost a write transaction.
        let Some(user) = self.store.find_user_of(digest, since).await? else {
            return Ok(false);
        };
        let mut change = self.begin_change(client).await?;
        // A concurrent password change may be about to replace the session: then end the new one.
        change.lock_user(user).await?;
        let has_ended = change.delete_session(digest).await?;
        let has_followed = change.delete_renewed_session(digest, since).await?.is_some();
        if !(has_ended || has_followed) {
            // Another request with the same cookie was faster: concurrent sign-outs write once.
            change.rollback().await;
            return Ok(false);
        }
        // Once is enough: now all of them are void.
        change.delete_renewed_sessions_of(user).await?;
        change.changes_user(user);
        change.record_visit(Event::SignedOut, user).await?;
        change.commit().await?;
        Ok(true)
    }
}
