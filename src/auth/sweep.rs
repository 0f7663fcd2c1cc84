//! What expired goes.

use super::Auth;
use crate::Error;

impl Auth {
    /// Removes what expired: sessions, links, counts, events, and letters in the folder whose links
    /// are dead.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let idle_since = |remembered| now - self.idle_ttl(remembered);
        self.store.delete_expired_sessions(now, idle_since(false), idle_since(true)).await?;
        self.store.delete_expired_tokens(now).await?;
        self.store.delete_forgotten_buckets(now).await?;
        self.store.delete_events_before(now - self.config.events.keep_for.get()).await?;
        self.mail.sweep(now).await
    }
}
