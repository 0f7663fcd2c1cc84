//! What expired goes.

use std::time::Duration;

use log::warn;

use super::Auth;
use super::password::change::AGAIN_WITHIN;
use super::password::hash::PasswordHash;
use super::store::BATCH;
use crate::Error;

/// Most events that are kept of tries at nobody's account. Strangers can cause any number of them.
const MOST_EVENTS_OF_NOBODY: i64 = 1_000_000;

/// Most events that are kept of an account to which much happens. Its owner may log in all day.
const MOST_EVENTS_OF_ONE: i64 = 5_000;

/// Which accounts are looked at for that: those with so many events in so long. Sweeps come more often.
const BUSY: i64 = 100;
const BUSY_WITHIN: Duration = Duration::from_mins(30);

/// Least time between the beginnings of two sweeps, of all nodes together.
const SWEEP_PAUSE: Duration = Duration::from_secs(10);

/// Events age by so much with each sweep at most: a clock that is wrong for an hour does not take the log with it.
const DAY: Duration = Duration::from_hours(24);

impl Auth {
    /// Whether this node is to sweep now: no other one has just begun.
    pub(crate) async fn begin_sweep(&self) -> Result<bool, Error> {
        self.store.update_swept(self.clock.now(), SWEEP_PAUSE).await
    }

    /// Removes what expired: sessions, links, counts, events, and messages in the folder whose links
    /// are dead. And takes stock. `beat` is called after each batch.
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
        while store.delete_used_links(now - AGAIN_WITHIN).await? >= BATCH {
            beat();
        }
        while store.delete_renewed_sessions(now - AGAIN_WITHIN).await? >= BATCH {
            beat();
        }
        let longest = self.config.throttle.forget_after.max(DAY);
        while store.delete_forgotten_buckets(now, longest).await? >= BATCH {
            beat();
        }
        let most = self.config.throttle.max_rows;
        let mut surplus = store.count_buckets().await? - most;
        if surplus > 0 {
            // Nobody is refused for what strangers fill: those go first that hold nobody up.
            warn!("there are more than {most} counts: the least of them are forgotten");
        }
        while surplus > 0 {
            let batch = surplus.min(BATCH.cast_signed());
            store.delete_least_buckets(batch).await?;
            surplus -= batch;
            beat();
        }
        if let Some(oldest) = store.find_oldest_event().await? {
            // However far ahead this clock is.
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
            let most = MOST_EVENTS_OF_ONE;
            while store.delete_surplus_events_of(user, most).await? >= BATCH {
                beat();
            }
        }
        self.take_stock().await?;
        self.mail.sweep(now).await
    }

    /// Returns when strangers may have added so much that the next sweep should not wait.
    pub(crate) async fn sweep_is_due(&self) {
        self.sweep_is_due.notified().await;
    }

    /// Notes what requests depend on and may not look for each time: how many messages wait, and the largest
    /// cost of any stored hash.
    pub(crate) async fn take_stock(&self) -> Result<(), Error> {
        self.count_messages().await?;
        for prefix in self.store.list_hash_prefixes().await? {
            if let Some(cost) = PasswordHash::cost_of_prefix(&prefix) {
                self.hasher.note_cost(cost);
            }
        }
        Ok(())
    }
}
