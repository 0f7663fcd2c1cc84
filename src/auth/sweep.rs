//! What expired goes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use log::warn;

use super::Auth;
use super::password::PasswordHash;
use super::password_change::AGAIN_WITHIN;
use crate::Error;

/// Most events that are kept of tries at nobody's account. Strangers can cause any number of them; those of
/// an account are bounded by its own limits.
const MOST_EVENTS_OF_NOBODY: i64 = 1_000_000;

impl Auth {
    /// Removes what expired: sessions, links, counts, events, and letters in the folder whose links
    /// are dead. And takes stock.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let idle_since = |remembered| now - self.idle_ttl(remembered);
        self.store.delete_expired_sessions(now, idle_since(false), idle_since(true)).await?;
        self.store.delete_expired_tokens(now).await?;
        self.store.delete_used_tokens(now - AGAIN_WITHIN).await?;
        let longest = self.config.throttle.forget_after.get().max(Duration::from_hours(24));
        self.store.delete_forgotten_buckets(now, longest).await?;
        self.store.delete_events_before(now - self.config.events.keep_for.get()).await?;
        self.store.delete_surplus_events(MOST_EVENTS_OF_NOBODY).await?;
        self.take_stock().await?;
        self.mail.sweep(now).await
    }

    /// Notes what every request depends on and none may look for: whether strangers have filled the table of
    /// counts, and the largest cost of any stored hash.
    pub(crate) async fn take_stock(&self) -> Result<(), Error> {
        let most = self.config.throttle.max_rows;
        let is_full = self.store.count_buckets(most).await? >= most;
        if is_full && !self.is_full.swap(true, Ordering::Relaxed) {
            warn!("there are {most} counts: strangers are asked to come back later");
        }
        self.is_full.store(is_full, Ordering::Relaxed);
        for prefix in self.store.list_hash_prefixes().await? {
            if let Some(cost) = PasswordHash::cost_of_prefix(&prefix) {
                self.hasher.note_cost(cost);
            }
        }
        Ok(())
    }
}
