//! A recent sign-in: security-critical actions ask for the password again, since somebody else may use a browser that
//! was left open (ASVS 7.5.1).

use std::time::Duration;

use crate::Error;
use crate::auth::change::REPEATED_WITHIN;
use crate::auth::store::EndedSession;
use crate::auth::{
    Auth, Client, NewSession, Password, Refused, Session, SessionToken, UserId, WrongCredentials,
};
use crate::clock::CLOCKS_DIFFER;

/// How long a sign-in counts as recent.
const RECENT_FOR: Duration = Duration::from_mins(10);

/// Why a sign-in is not renewed.
pub(crate) enum RecentLoginError {
    /// The password is wrong, or was changed in the meantime.
    WrongPassword,
    /// The session has ended in the meantime.
    SignedOut,
}

impl Auth {
    /// Whether the user proved their identity recently. A time in the future does not count: the clock was set back.
    pub(crate) fn is_recent(&self, session: &Session) -> bool {
        let (now, at) = (self.clock.now(), session.authenticated_at);
        at <= now + CLOCKS_DIFFER && at + RECENT_FOR > now
    }

    /// Signs the user of a session in again, with the password: another session replaces it (ASVS 7.2.4). A wrong
    /// password counts as a failed sign-in.
    pub(crate) async fn renew_login(
        &self,
        session: &Session,
        token: &SessionToken,
        password: Option<&Password>,
        client: &Client,
    ) -> Result<NewSession, Refused<RecentLoginError>> {
        let user = session.user.id;
        let proof = self.verify_password(session.user.email.as_str(), password, client).await;
        let proof = proof
            .map_err(|refused| refused.map(|WrongCredentials| RecentLoginError::WrongPassword))?;
        let (version, mut change) = (proof.password_version, self.begin_change(client).await?);
        // The address may have become that of another account.
        if proof.user.id != user || !change.lock_user_with_password(user, version).await? {
            change.rollback().await;
            return Err(Refused::Because(RecentLoginError::WrongPassword));
        }
        if !change.lock_session(session.id).await? {
            change.rollback().await;
            // A form sent twice: the first one has renewed it.
            let again = match password {
                Some(password) => self.renew_again(token, password, client).await?,
                None => None,
            };
            return again.ok_or(Refused::Because(RecentLoginError::SignedOut));
        }
        let now = change.now;
        let ended = EndedSession { digest: token.digest().to_vec(), id: session.id };
        // Somebody else may hold a copy of the session.
        self.notify_of_new_device(&mut change, &proof.user, client).await?;
        let (remember, replaced) = (session.remembered, Some(token.clone()));
        let new =
            self.begin_session(&mut change, user, version, remember, client, replaced).await?;
        change.insert_renewed_session(ended, new.id, user, now).await?;
        change.commit().await?;
        Ok(new)
    }

    /// The user of a session that may have ended, if that is still known.
    pub(crate) async fn owner_of(&self, token: &SessionToken) -> Result<Option<UserId>, Error> {
        self.store.find_user_of(token.digest(), self.clock.now() - REPEATED_WITHIN).await
    }
}
