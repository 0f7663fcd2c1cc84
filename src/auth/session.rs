//! Logging in and out, and the session in between.

use std::sync::Arc;
use std::time::Duration;

use log::warn;
use uuid::Uuid;

use super::device::Device;
use super::events::Event;
use super::hasher::Lane;
use super::password::PasswordVersion;
use super::store::{Credentials, Tx};
use super::throttle::Wait;
use super::{Auth, Client, Email, Password, SessionToken, User};
use crate::clock::Timestamp;
use crate::error::{Error, errors_in_a_row};

/// Somebody is signed in.
pub(crate) struct Session {
    /// The key of the session, which may be shown.
    pub(crate) id: Uuid,
    pub(crate) user: User,
    /// Whether it outlives the browser: "keep me logged in".
    pub(in crate::auth) remembered: bool,
    pub(crate) created_at: Timestamp,
    /// To the minute.
    pub(crate) last_seen_at: Timestamp,
    /// When it ends, whatever happens in it.
    pub(crate) expires_at: Timestamp,
}

/// Somebody gave the password of an account.
pub(crate) struct LoggedIn {
    pub(crate) user: User,
    /// With which password: a reset meanwhile makes it worth nothing.
    pub(in crate::auth) password: PasswordVersion,
}

/// What a browser gets that was signed in.
pub(crate) struct NewSession {
    pub(crate) token: SessionToken,
    /// Whether it is to outlive the browser.
    pub(crate) remember: bool,
    /// That it opened this account.
    pub(crate) device: Device,
}

/// Why somebody cannot log in.
pub(crate) enum LogInError {
    /// No such account, another password, or a disabled account: nobody is told which.
    WrongCredentials,
    /// Too many tries, known and unknown accounts alike; or too many others at the same time.
    Wait(Wait),
    /// Not their fault.
    Failed(Error),
}

/// `last_seen_at` is written at most this often, so that reading pages does not mean writing.
const SEEN_EVERY: Duration = Duration::from_secs(60);

impl Auth {
    /// Finds the account that this address and password open. Takes as long whether or not there is
    /// one.
    pub(crate) async fn log_in(
        &self,
        email: &str,
        password: &str,
        client: &Client,
    ) -> Result<LoggedIn, LogInError> {
        // What cannot be an address or a password of anybody is simply wrong.
        let (email, password) = (email.parse::<Email>().ok(), password.parse::<Password>().ok());
        let found = match &email {
            Some(email) => self.store.find_credentials(email).await?,
            None => None,
        };
        let tried = self.count_try(email.as_ref(), found.as_ref(), client).await?;
        let tried = tried.map_err(LogInError::Wait)?;
        let (Some(_), Some(password)) = (email, password) else {
            self.record(Event::LogInFailed, found.map(|found| found.user.id), client).await?;
            return Err(LogInError::WrongCredentials);
        };
        let hash = found.as_ref().map_or(self.hasher.dummy(), |found| &found.password_hash);
        let matches = match self.hasher.verify(&password, hash, tried.lane(client)).await {
            Ok(matches) => matches,
            Err(error) => {
                self.try_dropped(tried).await?;
                return Err(error.into());
            }
        };
        let (user, is_open) = match &found {
            Some(found) => (Some(found.user.id), matches && !found.is_disabled),
            None => (None, false),
        };
        let Some(found) = found.filter(|_| is_open) else {
            self.record(Event::LogInFailed, user, client).await?;
            return Err(LogInError::WrongCredentials);
        };
        let lane = tried.lane(client);
        self.try_succeeded(tried).await?;
        self.renew_hash(&found, &password, lane).await?;
        Ok(LoggedIn { user: found.user, password: found.password_version })
    }

    /// Writes the hash anew if it was imported, or is of lower cost, now that the password is known.
    async fn renew_hash(
        &self,
        found: &Credentials,
        password: &Password,
        lane: Lane,
    ) -> Result<(), Error> {
        if !self.hasher.is_outdated(&found.password_hash) {
            return Ok(());
        }
        match self.hasher.hash(password, lane).await {
            Ok(new) => {
                let old = found.stored_hash.clone();
                self.store.update_outdated_hash(found.user.id, old, &new).await
            }
            // Another time: in a crowd, nobody is kept out for it.
            Err(error) if error.busy_for().is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Signs a user in. Always a new token, so that nobody can plant one of theirs in a victim's
    /// browser (session fixation); the session that the browser had is `replaced`. `None` if the
    /// password was changed or the account disabled while this one was being checked: whoever holds
    /// the old password must not slip in beside a reset.
    pub(crate) async fn start_session(
        &self,
        logged_in: &LoggedIn,
        remember: bool,
        client: &Client,
        replaced: Option<SessionToken>,
    ) -> Result<Option<NewSession>, Error> {
        let user = logged_in.user.id;
        let mut tx = self.store.begin().await?;
        if !tx.lock_user_with_password(user, logged_in.password).await? {
            return Ok(None);
        }
        if let Some(old) = &replaced {
            tx.delete_session(old.digest()).await?;
        }
        let device = Device::new(user, logged_in.password);
        let new = self.insert_session(&mut tx, device, remember, client).await?;
        tx.insert_event(Event::LoggedIn, Some(user), client, self.clock.now()).await?;
        tx.commit().await?;
        if let Some(old) = replaced {
            self.sessions.forget(old.digest());
        }
        Event::LoggedIn.log(Some(user), client);
        Ok(Some(new))
    }

    /// Adds a session with a new token, for this device.
    pub(in crate::auth) async fn insert_session(
        &self,
        tx: &mut Tx,
        device: Device,
        remember: bool,
        client: &Client,
    ) -> Result<NewSession, Error> {
        let (token, now) = (SessionToken::new()?, self.clock.now());
        let expires_at = now + self.absolute_ttl(remember);
        tx.insert_session(token.digest(), device.user, remember, now, expires_at, client).await?;
        Ok(NewSession { token, remember, device })
    }

    fn absolute_ttl(&self, remembered: bool) -> Duration {
        let limits = &self.config.session;
        if remembered { limits.remembered_absolute_ttl.get() } else { limits.absolute_ttl.get() }
    }

    pub(in crate::auth) fn idle_ttl(&self, remembered: bool) -> Duration {
        let limits = &self.config.session;
        if remembered { limits.remembered_idle_ttl.get() } else { limits.idle_ttl.get() }
    }

    /// The session that a token stands for, if it has not ended; notes that it is in use.
    pub(crate) async fn find_session(
        &self,
        token: &SessionToken,
    ) -> Result<Option<Arc<Session>>, Error> {
        let (digest, now) = (token.digest(), self.clock.now());
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
        if now.since(session.last_seen_at) >= SEEN_EVERY {
            // Whoever only looks at a page must see it where the database cannot be written.
            if let Err(error) = self.store.update_last_seen(digest, now).await {
                warn!("that a session is in use was not noted: {}", errors_in_a_row(&error));
            }
            session.last_seen_at = now;
        }
        let session = Arc::new(session);
        self.sessions.put(lookup, digest, &session, now);
        Ok(Some(session))
    }

    /// Ends a session in the database: a copy of its cookie is worth nothing afterwards.
    pub(crate) async fn log_out(&self, token: &SessionToken, client: &Client) -> Result<(), Error> {
        let ended = self.store.delete_session(token.digest()).await?;
        self.sessions.forget(token.digest());
        if let Some(user) = ended {
            self.record(Event::LoggedOut, Some(user), client).await?;
        }
        Ok(())
    }
}
