//! What people may say about themselves.

use super::events::Event;
use super::session::{Session, SignedOut};
use super::{Auth, Client, Name, Refused};

impl Auth {
    /// Sets what the person wants to be called; `None`: nothing.
    pub(crate) async fn rename(
        &self,
        session: &Session,
        name: Option<&Name>,
        client: &Client,
    ) -> Result<(), Refused<SignedOut>> {
        let user = session.user.id;
        self.count_act(user).await?;
        let mut tx = self.store.begin().await?;
        if !tx.lock_user(user).await? || !tx.lock_session(session.id).await? {
            tx.rollback().await;
            return Err(Refused::Because(SignedOut));
        }
        tx.update_name(user, name).await?;
        let is_noted = self.is_noted(&mut tx, user, client).await?;
        if is_noted {
            tx.insert_event(Event::Renamed, Some(user), client, self.clock.now()).await?;
        }
        tx.commit().await?;
        self.sessions.forget_user(user);
        if is_noted {
            Event::Renamed.log(Some(user), client);
        }
        Ok(())
    }
}
