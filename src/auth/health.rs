//! Health checks, and what all nodes of one database must agree on.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::{error, warn};
use rocket::tokio::time::timeout;

use super::store::Signals;
use super::{Auth, OpenError, on_behalf_of};
use crate::Error;
use crate::clock::Timestamp;

/// The largest accepted difference between a node's clock and the database's.
const CLOCK_DIFFERS: Duration = Duration::from_secs(5);

/// The longest network delay assumed for an answer of the database.
const LONGEST_WAY: Duration = Duration::from_millis(200);

/// How long a test write may take before the database counts as not writable.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// Health checks are public, and each one writes to disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The state of the service.
#[derive(Clone, Copy)]
pub(crate) struct Health {
    looked_at: Instant,
    /// Whether the database can be written.
    pub(crate) can_write: bool,
    /// Whether this node is shutting down.
    pub(crate) is_leaving: bool,
    /// Messages in the outbox.
    pub(crate) messages_waiting: Option<i64>,
    /// The age of the oldest message in the outbox.
    pub(crate) oldest_message: Option<Duration>,
    /// The time since any node last began a sweep.
    pub(crate) last_sweep: Option<Duration>,
    /// The time since this node's delivery job last ran; it runs every few seconds.
    pub(crate) delivery_moved: Option<Duration>,
    /// Connections to the database that are in use.
    pub(crate) connections_in_use: usize,
    /// All open connections to the database.
    pub(crate) connections: u32,
}

impl Auth {
    /// Checks the service, at most once a second.
    pub(crate) async fn health(&self) -> Health {
        Health { is_leaving: self.is_leaving.load(Ordering::Relaxed), ..self.look().await }
    }

    /// Records that the delivery job of this node is alive.
    pub(crate) fn note_delivery(&self) {
        *self.delivery_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn delivery_moved(&self) -> Option<Instant> {
        *self.delivery_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells load balancers to send no more requests.
    pub(crate) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    async fn look(&self) -> Health {
        let mut last = self.last_look.lock().await;
        if let Some(health) = last.filter(|health| health.looked_at.elapsed() < LOOK_EVERY) {
            return health;
        }
        let now = self.clock.now();
        // On no client's behalf: the result is shared by all, and one client may have a thousand requests waiting.
        let look = on_behalf_of(None, self.store.update_health(now));
        // Answer even if the database hangs: a load balancer learns nothing from a request that times out.
        let signals = timeout(LOOK_WITHIN, look).await.ok().and_then(Result::ok).flatten();
        let (connections_in_use, connections) = self.store.connections();
        let health = Health {
            looked_at: Instant::now(),
            // Every initialised database has this row.
            can_write: signals.is_some(),
            is_leaving: false,
            messages_waiting: signals.map(|Signals { waiting, .. }| waiting),
            oldest_message: signals.and_then(|s| s.oldest).map(|oldest| now.since(oldest)),
            last_sweep: signals
                .map(|s| s.swept_at)
                .filter(|at| at.as_millis() > 0)
                .map(|at| now.since(at)),
            delivery_moved: self.delivery_moved().map(|at| at.elapsed()),
            connections_in_use,
            connections,
        };
        *last = Some(health);
        health
    }

    /// Fails if this node must not start beside the others on this database.
    pub(super) async fn agree_with_others(&self) -> Result<(), OpenError> {
        let difference = self.follow().await.map_err(OpenError::Failed)?;
        check_clock(difference)?;
        let own = self.throttle_key.fingerprint();
        let known = self.store.update_fingerprint(&own).await.map_err(OpenError::Failed)?;
        if known.is_none_or(|known| known == own) {
            return Ok(());
        }
        if self.store.is_shared() {
            return Err(OpenError::OtherKey);
        }
        warn!("the secret key is another one than before: everybody has been signed out");
        self.store.update_fingerprint_to(&own).await.map_err(OpenError::Failed)
    }

    /// Follows the database's clock, if it has one, so that all nodes see the same time. Warns if this machine's
    /// clock is far off.
    pub(crate) async fn follow_clock(&self) -> Result<(), Error> {
        let difference = self.follow().await?;
        if difference > CLOCK_DIFFERS {
            self.clock_differs.note(|_| {
                error!(
                    "THE CLOCK OF THIS MACHINE IS {} AWAY FROM THE DATABASE'S, which is followed: set it right",
                    humantime::format_duration(Duration::from_secs(difference.as_secs()))
                );
            });
        }
        Ok(())
    }

    async fn follow(&self) -> Result<Duration, Error> {
        let asked_at = Instant::now();
        let Some(theirs) = self.store.find_now().await? else { return Ok(Duration::ZERO) };
        Ok(self.clock.follow(now_by(theirs, asked_at.elapsed())))
    }
}

/// The time of the database whose clock showed `theirs` halfway through the round trip. A long round trip is a wait
/// for a connection, before the clock was read.
fn now_by(theirs: Timestamp, round_trip: Duration) -> Timestamp {
    theirs + (round_trip / 2).min(LONGEST_WAY)
}

/// Fails if the node's clock is too far from the database's.
pub(super) fn check_clock(difference: Duration) -> Result<(), OpenError> {
    if difference <= CLOCK_DIFFERS { Ok(()) } else { Err(OpenError::ClockDiffers(difference)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_on_the_way_is_added_to_the_time_of_the_database() {
        let at = Timestamp::from_millis;
        for (round_trip, now) in [(0, 5_000), (100, 5_050), (399, 5_199), (60_000, 5_200)] {
            assert_eq!(now_by(at(5_000), Duration::from_millis(round_trip)), at(now));
        }
    }
}
