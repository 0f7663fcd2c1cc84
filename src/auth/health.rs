//! Whether the service can do its work, and what all nodes on one database have to agree on.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::{error, warn};
use rocket::tokio::time::timeout;

use super::store::Signals;
use super::{Auth, OpenError, on_behalf_of};
use crate::Error;

/// How far the clock of a node may be from the database's.
const CLOCK_DIFFERS: Duration = Duration::from_secs(5);

/// How long the answer of a database may be on its way.
const LONGEST_WAY: Duration = Duration::from_millis(200);

/// How long the database may take to show that it can be written, before whoever asks is told that it can't.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// Anybody may ask, and each look is a write to disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How the service is.
#[derive(Clone, Copy)]
pub(crate) struct Health {
    looked_at: Instant,
    /// Whether the database can be written.
    pub(crate) can_write: bool,
    /// Whether this node is about to end.
    pub(crate) is_leaving: bool,
    /// Messages that have not left yet.
    pub(crate) messages_waiting: Option<i64>,
    /// How long the oldest of them has been waiting.
    pub(crate) oldest_message: Option<Duration>,
    /// How long ago a node last began to sweep.
    pub(crate) last_sweep: Option<Duration>,
    /// How long ago this node's delivery job last moved; it does every few seconds.
    pub(crate) delivery_moved: Option<Duration>,
    /// Connections to the database that are in use just now.
    pub(crate) connections_in_use: usize,
    /// Connections to the database.
    pub(crate) connections: u32,
}

impl Auth {
    /// Looks how the service is; at most once a second.
    pub(crate) async fn health(&self) -> Health {
        Health { is_leaving: self.is_leaving.load(Ordering::Relaxed), ..self.look().await }
    }

    /// The delivery job of this node is at work.
    pub(crate) fn note_delivery(&self) {
        *self.delivery_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn delivery_moved(&self) -> Option<Instant> {
        *self.delivery_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Load balancers are to send nothing more.
    pub(crate) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    async fn look(&self) -> Health {
        let mut last = self.last_look.lock().await;
        if let Some(health) = last.filter(|health| health.looked_at.elapsed() < LOOK_EVERY) {
            return health;
        }
        let now = self.clock.now();
        // On nobody's behalf: whoever asks may have a thousand requests waiting, and what is seen is for all.
        let look = on_behalf_of(None, self.store.update_health(now));
        // Whatever hangs: an answer that does not come tells a load balancer nothing.
        let signals = timeout(LOOK_WITHIN, look).await.ok().and_then(Result::ok).flatten();
        let (connections_in_use, connections) = self.store.connections();
        let health = Health {
            looked_at: Instant::now(),
            // The row is there in every database that is sound.
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

    /// Fails if this node must not begin beside others on this database.
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

    /// Goes by the database's clock from here on, if it has one, so that all nodes see the same time; says so
    /// loudly if this machine's is far from it.
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
        // It was read on the way. A long one is a wait for a turn, after which it was read.
        let since = (asked_at.elapsed() / 2).min(LONGEST_WAY);
        Ok(self.clock.follow(theirs + since))
    }
}

/// Fails if a node must not begin, since its clock is so far from the database's.
pub(super) fn check_clock(difference: Duration) -> Result<(), OpenError> {
    if difference <= CLOCK_DIFFERS { Ok(()) } else { Err(OpenError::ClockDiffers(difference)) }
}
