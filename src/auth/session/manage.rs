//! Ending sessions by the signed-in owner of an account.

use uuid::Uuid;

use crate::auth::events::Event;
use crate::auth::{Auth, Client, KnownDevice, Refused, Session};

/// Why a session is not ended.
pub(crate) enum EndSessionError {
    /// It is the session of another account.
    NoSuchSession,
    /// It has ended already, or was renewed under another ID.
    HasEnded,
    /// The session of this browser has ended in the meantime.
    SignedOut,
}

impl Auth {
    /// Ends one session of the signed-in user. All browsers that are known become
    /// strangers, since it is not known which of them it was; returns the proof for this one, if it had one.
    pub(crate) async fn end_session(
        &self,
        session: &Session,
        id: Uuid,
        client: &Client,
    ) -> Result<Option<KnownDevice>, Refused<EndSessionError>> {
        let user = session.user.id;
        self.charge_change(session).await?;
        let mut change = self.begin_change(client).await?;
        if !change.lock_user(user).await? || !change.lock_session(session.id).await? {
            change.rollback().await;
            return Err(Refused::Because(EndSessionError::SignedOut));
        }
        let Some(ended) = change.delete_session_by_id(id, user).await? else {
            let is_of_another = change.has_session(id).await?;
            change.rollback().await;
            return Err(Refused::Because(if is_of_another {
                EndSessionError::NoSuchSession
            } else {
                EndSessionError::HasEnded
            }));
        };
        change.ends_session(ended);
        let version = change.update_password_version(user).await?;
        change.changes_user(user);
        change.record_visit(Event::SessionEnded, user).await?;
        let device = KnownDevice::renewed(user, version, &client.devices, change.now);
        change.commit().await?;
        Ok(device)
    }

    /// Ends all sessions of the signed-in user but this one, and makes all other browsers strangers. Returns the
    /// proof for this one, if it had one.
    pub(crate) async fn end_other_sessions(
        &self,
        session: &Session,
        client: &Client,
    ) -> Result<Option<KnownDevice>, Refused<EndSessionError>> {
        let user = session.user.id;
        self.charge_change(session).await?;
        let mut change = self.begin_change(client).await?;
        if !change.lock_user(user).await? || !change.lock_session(session.id).await? {
            change.rollback().await;
            return Err(Refused::Because(EndSessionError::SignedOut));
        }
        change.delete_other_sessions(user, session.id).await?;
        change.delete_renewed_sessions_of(user).await?;
        // One of them may have asked for another address.
        change.forget_new_email(user).await?;
        let version = change.update_password_version(user).await?;
        change.changes_user(user);
        change.record_visit(Event::SessionsEnded, user).await?;
        let device = KnownDevice::renewed(user, version, &client.devices, change.now);
        change.commit().await?;
        Ok(device)
    }
}
