//! Removes expired data.

use std::time::Duration;

use log::warn;

use super::Auth;
use super::change::REPEATED_WITHIN;
use super::password::hash::PasswordHash;
use super::store::BATCH;
use crate::Error;

/// The maximum number of stored events without an account. Strangers can cause any number of them.
const MOST_EVENTS_OF_NOBODY: i64 = 1_000_000;

/// The maximum number of stored events of a very active account, whose owner may cause any number of them.
pub(in crate::auth) const MOST_EVENTS_OF_ONE: u32 = 5_000;

/// An account with this many events within `BUSY_WITHIN` counts as very active. Sweeps are more frequent than that.
const BUSY: i64 = 100;
const BUSY_WITHIN: Duration = Duration::from_mins(30);

/// The minimum time between two sweeps, across all nodes.
const SWEEP_PAUSE: Duration = Duration::from_secs(10);

/// The most that one sweep advances the age limit of events: a clock that is wrong for an hour does not delete the
/// log.
const DAY: Duration = Duration::from_hours(24);

impl Auth {
    /// Whether this node should sweep now: no other node has just begun.
    pub(crate) async fn begin_sweep(&self) -> Result<bool, Error> {
        self.store.update_swept(self.clock.now(), SWEEP_PAUSE).await
    }

    /// Removes expired sessions, links, deleted accounts, counts, events, and messages in the folder whose links are void. Then takes
    /// stock. Calls `beat` after each batch.
    pub(crate) async fn sweep(&self, beat: impl Fn()) -> Result<(), Error> {
        let (store, now) = (&self.store, self.clock.now());
        let idle_since = |remembered| now - self.idle_ttl(remembered);
        let (idle, remembered_idle) = (idle_since(false), idle_since(true));
        while store.delete_expired_sessions(now, idle, remembered_idle).await? >= BATCH {
            beat();
        }
        while store.delete_expired_links(now).await? >= BATCH {
            beat();
        }
        while store.delete_used_links(now - REPEATED_WITHIN).await? >= BATCH {
            beat();
        }
        while store.delete_renewed_sessions(now - REPEATED_WITHIN).await? >= BATCH {
            beat();
        }
        while store.delete_former_emails(now).await? >= BATCH {
            beat();
        }
        self.erase_due(&beat).await?;
        let longest = self.config.throttle.forget_after.max(DAY);
        while store.delete_forgotten_buckets(now, longest).await? >= BATCH {
            beat();
        }
        let most = self.config.throttle.max_rows;
        let mut surplus = store.count_buckets().await? - most;
        if surplus > 0 {
            // Strangers can fill the table: that must not refuse others. Counts that block nobody are removed
            // first.
            warn!("there are more than {most} counts: the least of them are forgotten");
        }
        while surplus > 0 {
            let batch = surplus.min(BATCH.cast_signed());
            store.delete_least_buckets(batch).await?;
            surplus -= batch;
            beat();
        }
        if let Some(oldest) = store.find_oldest_event().await? {
            // Even if this clock is far ahead.
            let then = (now - self.config.events.keep_for).min(oldest + DAY);
            while store.delete_events_before(then).await? >= BATCH {
                beat();
            }
        }
        if let Some(then) = store.find_surplus_events(MOST_EVENTS_OF_NOBODY).await? {
            while store.delete_events_of_nobody(then).await? >= BATCH {
                beat();
            }
        }
        for user in store.list_busy_users(now - BUSY_WITHIN, BUSY).await? {
            let most = i64::from(MOST_EVENTS_OF_ONE);
            while store.delete_surplus_events_of(user, most).await? >= BATCH {
                beat();
            }
        }
        self.take_stock().await?;
        self.mail.sweep(now).await
    }

    /// Returns when strangers may have added so many rows that the next sweep should not wait.
    pub(crate) async fn sweep_is_due(&self) {
        self.sweep_is_due.notified().await;
    }

    /// Updates the figures that requests need but cannot query each time: the number of waiting messages, and the
    /// largest cost of any stored hash.
    pub(crate) async fn take_stock(&self) -> Result<(), Error> {
        self.refresh_message_count().await?;
        for prefix in self.store.list_hash_prefixes().await? {
            if let Some(cost) = PasswordHash::cost_of_prefix(&prefix) {
                self.hasher.note_cost(cost);
            }
        }
        Ok(())
    }
}
