//! The notice of a sign-in by a browser that the account has not used before.

use crate::Error;
use crate::auth::change::Change;
use crate::auth::{Auth, Client, KnownDevice, User};
use crate::mail::Message;

impl Auth {
    /// Puts the notice into the outbox, if the browser is new to the account: it carries no proof of an earlier
    /// sign-in, and none was recorded with the same user agent from the same address, as from a program that keeps
    /// no cookies. What happened before the owner took the account back does not count. Addresses that were never
    /// verified get none: they may be a stranger's.
    pub(in crate::auth) async fn notify_of_new_device(
        &self,
        change: &mut Change<'_>,
        user: &User,
        client: &Client,
    ) -> Result<(), Error> {
        if !self.config.mail.new_device || user.email_verified_at.is_none() {
            return Ok(());
        }
        // What was there before is not known as the owner's any more.
        let since = change.last_recovery(user.id).await?;
        let now = change.now;
        let opened = |device: &KnownDevice| device.has_opened(user.id, now) && device.at >= since;
        if client.devices.iter().any(opened)
            || change.has_signed_in(user.id, client, since).await?
            || !self.charge_new_device(change, user.id).await?.is_counted()
        {
            return Ok(());
        }
        change.mail(self.message(Message::NewDevice, user, client)).await
    }
}
