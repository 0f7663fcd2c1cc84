//! What people may say about themselves.

use super::events::Event;
use super::{Auth, Client, Name, UserId};
use crate::Error;

impl Auth {
    /// Sets what the person wants to be called; `None`: nothing.
    pub(crate) async fn rename(
        &self,
        user: UserId,
        name: Option<&Name>,
        client: &Client,
    ) -> Result<(), Error> {
        self.store.update_name(user, name).await?;
        self.sessions.forget_user(user);
        self.record(Event::Renamed, Some(user), client).await
    }
}
