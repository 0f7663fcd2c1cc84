//! Logging in and out, and the session in between.

use std::time::Duration;

use uuid::Uuid;

use super::{Auth, Client, Email, Password, SessionToken, User, UserId};
use crate::Error;
use crate::clock::Timestamp;

/// Somebody is signed in.
pub(crate) struct Session {
    /// The key of the session, which may be shown.
    pub(crate) id: Uuid,
    pub(crate) user: User,
    pub(crate) created_at: Timestamp,
    /// To the minute.
    pub(crate) last_seen_at: Timestamp,
    /// When it ends, whatever happens in it.
    pub(crate) expires_at: Timestamp,
}

/// Why somebody cannot log in.
pub(crate) enum LogInError {
    /// No such account, another password, or a disabled account: nobody is told which.
    WrongCredentials,
    /// Not their fault.
    Failed(Error),
}

impl From<Error> for LogInError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// `last_seen_at` is written at most this often, so that reading pages does not mean writing.
const SEEN_EVERY: Duration = Duration::from_mins(1);

impl Auth {
    /// Finds the account that this address and password open. Takes as long whether or not there is
    /// one.
    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Result<User, LogInError> {
        // What cannot be an address or a password of anybody is simply wrong.
        let (Ok(email), Ok(password)) = (email.parse::<Email>(), password.parse::<Password>())
        else {
            return Err(LogInError::WrongCredentials);
        };
        let found = self.store.find_credentials(&email).await?;
        let hash = found.as_ref().map_or(self.hasher.dummy(), |found| &found.password_hash);
        let matches = self.hasher.verify(&password, hash).await?;
        let found = found
            .filter(|found| matches && !found.is_disabled)
            .ok_or(LogInError::WrongCredentials)?;
        if self.hasher.is_outdated(&found.password_hash) {
            let new = self.hasher.hash(&password).await?;
            self.store.update_outdated_hash(found.user.id, found.stored_hash, &new).await?;
        }
        Ok(found.user)
    }

    /// Whether `password` opens the account of `email`, for somebody who proves that it is theirs.
    pub(crate) async fn proves(&self, email: &Email, password: &str) -> Result<bool, Error> {
        match self.log_in(email.key(), password).await {
            Ok(_) => Ok(true),
            Err(LogInError::WrongCredentials) => Ok(false),
            Err(LogInError::Failed(error)) => Err(error),
        }
    }

    /// Signs a user in. Always a new token, so that nobody can plant one of theirs in a victim's
    /// browser (session fixation); the session that the browser had is `replaced`.
    pub(crate) async fn start_session(
        &self,
        user: UserId,
        remember: bool,
        client: &Client,
        replaced: Option<SessionToken>,
    ) -> Result<SessionToken, Error> {
        let (token, now) = (SessionToken::new()?, self.clock.now());
        let limits = &self.config.session;
        let limit =
            if remember { limits.remembered_absolute_ttl.get() } else { limits.absolute_ttl.get() };
        let mut tx = self.store.begin().await?;
        if let Some(old) = replaced {
            tx.delete_session(old.digest()).await?;
        }
        tx.insert_session(token.digest(), user, remember, now, now + limit, client).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// The session that a token stands for, if it has not ended; notes that it is in use.
    pub(crate) async fn find_session(
        &self,
        token: &SessionToken,
    ) -> Result<Option<Session>, Error> {
        let (digest, now) = (token.digest(), self.clock.now());
        let Some(row) = self.store.find_session(digest, now).await? else { return Ok(None) };
        let limits = &self.config.session;
        let idle =
            if row.remembered { limits.remembered_idle_ttl.get() } else { limits.idle_ttl.get() };
        if row.last_seen_at + idle <= now {
            return Ok(None);
        }
        let mut last_seen_at = row.last_seen_at;
        if now.since(last_seen_at) >= SEEN_EVERY {
            self.store.update_last_seen(digest, now).await?;
            last_seen_at = now;
        }
        Ok(Some(Session {
            id: row.session_id,
            created_at: row.created_at,
            last_seen_at,
            expires_at: row.expires_at,
            user: row.into_user(),
        }))
    }

    /// Ends a session in the database: a copy of its cookie is worth nothing afterwards.
    pub(crate) async fn log_out(&self, token: &SessionToken) -> Result<(), Error> {
        self.store.delete_session(token.digest()).await
    }

    /// Removes what expired: sessions, links, and letters in the folder whose links are dead.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        let (now, limits) = (self.clock.now(), &self.config.session);
        self.store
            .delete_expired_sessions(
                now,
                now - limits.idle_ttl.get(),
                now - limits.remembered_idle_ttl.get(),
            )
            .await?;
        self.store.delete_expired_tokens(now).await?;
        self.mail.sweep(now).await
    }
}
