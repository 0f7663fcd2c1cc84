//! The one place that asks what time it is, so that a test can move it.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where every part of the service gets the time from. Clones share one hand: a test that advances
/// its own clone moves the whole service.
#[derive(Clone, Debug)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
    started_at: Instant,
    /// What the clock that is followed showed at `started_at`; [`NONE`] if none is.
    followed: Arc<AtomicI64>,
    /// Set: it moves only when it is told to.
    stopped_at: Option<Timestamp>,
}

/// No clock is followed.
const NONE: i64 = i64::MIN;

impl Default for Clock {
    fn default() -> Self {
        Self {
            ahead_ms: Arc::default(),
            started_at: Instant::now(),
            followed: Arc::new(AtomicI64::new(NONE)),
            stopped_at: None,
        }
    }
}

impl Clock {
    /// A clock that shows the present instant until it is moved, for tests: a slow machine changes
    /// nothing.
    pub fn stopped() -> Self {
        let stopped_at = Some(Self::default().now());
        Self { stopped_at, ..Self::default() }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        // What is followed goes on by a clock that nobody sets: a step of this machine's own changes nothing.
        let Timestamp(here) = match self.followed.load(Ordering::Relaxed) {
            NONE => self.stopped_at.unwrap_or_else(of_this_machine),
            followed => Timestamp(followed) + self.started_at.elapsed(),
        };
        Timestamp(here + self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Goes from here on by a clock that shows `now`; how far it is from this machine's. One that is stopped
    /// goes by none.
    pub(crate) fn follow(&self, now: Timestamp) -> Duration {
        if self.stopped_at.is_some() {
            return Duration::ZERO;
        }
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        let then = now.0 - ahead - millis(self.started_at.elapsed());
        self.followed.store(then, Ordering::Relaxed);
        Duration::from_millis((now.0 - ahead - of_this_machine().0).unsigned_abs())
    }

    /// Moves this clock, and every clone of it, ahead.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(millis(by), Ordering::Relaxed);
    }
}

fn of_this_machine() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    SystemTime::now().into()
}

/// How far two clocks of nodes may be apart. What lies further ahead was written by a clock that was wrong:
/// a wait, a session or a link from then would otherwise last until the time that it showed.
pub(crate) const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// An instant in UTC, in milliseconds since 1970. Stored as such, so that both databases compare it
/// as a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Reads what [`as_millis`](Self::as_millis) gave.
    pub(crate) fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970.
    pub(crate) fn as_millis(self) -> i64 {
        self.0
    }

    /// As RFC 3339 in UTC with whole seconds: `2026-11-21T14:12:41Z`.
    pub fn rfc3339(self) -> String {
        self.utc().format(&Rfc3339).unwrap_or_default()
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// The date and the time of day in UTC.
    pub(crate) fn utc(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(millis(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(millis(length)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(millis(length)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// In milliseconds; what is longer than time itself is that.
pub(crate) fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_written_for_programs() {
        let at = Timestamp(1_795_270_361_999);
        assert_eq!(at.rfc3339(), "2026-11-21T14:12:41Z");
    }

    #[test]
    fn clones_of_a_clock_move_together() {
        let (clock, hand) = (Clock::default(), Clock::default());
        let other = clock.clone();
        other.advance(Duration::from_hours(1));
        assert!(clock.now().since(hand.now()) >= Duration::from_secs(3599));
    }
}
