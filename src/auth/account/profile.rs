//! Editing the profile.

use crate::auth::events::Event;
use crate::auth::{Auth, Client, Name, Refused, Session, SignedOut};

impl Auth {
    /// Sets or removes the display name.
    pub(crate) async fn rename(
        &self,
        session: &Session,
        name: Option<&Name>,
        client: &Client,
    ) -> Result<(), Refused<SignedOut>> {
        let user = session.user.id;
        self.charge_change(session).await?;
        let mut change = self.begin_change(client).await?;
        if !change.lock_user(user).await? || !change.lock_session(session.id).await? {
            change.rollback().await;
            return Err(Refused::Because(SignedOut));
        }
        change.update_name(user, name).await?;
        change.changes_user(user);
        change.record_visit(Event::Renamed, user).await?;
        Ok(change.commit().await?)
    }
}
