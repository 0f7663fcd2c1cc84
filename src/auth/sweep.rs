//! What expired goes.

use std::time::Duration;

use log::warn;

use super::Auth;
use super::password::PasswordHash;
use super::password_change::AGAIN_WITHIN;
use crate::Error;

/// Most events that are kept of tries at nobody's account. Strangers can cause any number of them.
const MOST_EVENTS_OF_NOBODY: i64 = 1_000_000;

/// Most events that are kept of an account to which much happens. Its owner may log in all day.
const MOST_EVENTS_OF_ONE: i64 = 5_000;

/// Which accounts are looked at for that: those with so many events in so long. Sweeps come more often.
const BUSY: i64 = 100;
const BUSY_WITHIN: Duration = Duration::from_mins(30);

impl Auth {
    /// Removes what expired: sessions, links, counts, events, and letters in the folder whose links
    /// are dead. And takes stock.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let idle_since = |remembered| now - self.idle_ttl(remembered);
        self.store.delete_expired_sessions(now, idle_since(false), idle_since(true)).await?;
        self.store.delete_expired_tokens(now).await?;
        self.store.delete_used_tokens(now - AGAIN_WITHIN).await?;
        self.store.delete_renewed_sessions(now - AGAIN_WITHIN).await?;
        let longest = self.config.throttle.forget_after.get().max(Duration::from_hours(24));
        self.store.delete_forgotten_buckets(now, longest).await?;
        let most = self.config.throttle.max_rows;
        let surplus = self.store.count_buckets().await? - most;
        if surplus > 0 {
            // Nobody is refused for what strangers fill: those go first that hold nobody up.
            warn!("there are more than {most} counts: the least of them are forgotten");
            self.store.delete_least_buckets(surplus).await?;
        }
        self.store.delete_events_before(now - self.config.events.keep_for.get()).await?;
        self.store.delete_surplus_events(MOST_EVENTS_OF_NOBODY).await?;
        for user in self.store.list_busy_users(now - BUSY_WITHIN, BUSY).await? {
            self.store.delete_surplus_events_of(user, MOST_EVENTS_OF_ONE).await?;
        }
        self.take_stock().await?;
        self.mail.sweep(now).await
    }

    /// Returns when strangers may have added so much that the next sweep should not wait.
    pub(crate) async fn sweep_is_due(&self) {
        self.sweep_is_due.notified().await;
    }

    /// Notes what requests depend on and may not look for each time: how many letters wait, and the largest
    /// cost of any stored hash.
    pub(crate) async fn take_stock(&self) -> Result<(), Error> {
        self.count_letters().await?;
        for prefix in self.store.list_hash_prefixes().await? {
            if let Some(cost) = PasswordHash::cost_of_prefix(&prefix) {
                self.hasher.note_cost(cost);
            }
        }
        Ok(())
    }
}
