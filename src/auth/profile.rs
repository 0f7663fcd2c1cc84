//! What people may say about themselves.

use super::{Auth, Name, UserId};
use crate::Error;

impl Auth {
    /// Sets what the person wants to be called; `None`: nothing.
    pub(crate) async fn rename(&self, user: UserId, name: Option<&Name>) -> Result<(), Error> {
        self.store.update_name(user, name).await
    }
}
