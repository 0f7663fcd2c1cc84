//! The only source of the current time, so that tests can change it.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The clock of the service. Clones share their state: a test that advances its own clone advances the whole
/// service.
#[derive(Clone, Debug)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
    started_at: Instant,
    /// The time of the followed clock at `started_at`; [`NONE`] if there is none.
    followed: Arc<AtomicI64>,
    /// The time of a stopped clock, which only moves when told to.
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
    /// A clock for tests that stands still until it is advanced, however slow the machine is.
    pub fn stopped() -> Self {
        let stopped_at = Some(Self::default().now());
        Self { stopped_at, ..Self::default() }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        // A followed clock advances by a monotonic clock: setting this machine's clock changes nothing.
        let Timestamp(here) = match self.followed.load(Ordering::Relaxed) {
            NONE => self.stopped_at.unwrap_or_else(of_this_machine),
            followed => Timestamp(followed) + self.started_at.elapsed(),
        };
        Timestamp(here + self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Follows a clock that now shows `now`, unless this one is stopped. Returns its difference from this
    /// machine's.
    pub(crate) fn follow(&self, now: Timestamp) -> Duration {
        if self.stopped_at.is_some() {
            return Duration::ZERO;
        }
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        let then = now.0 - ahead - millis(self.started_at.elapsed());
        self.followed.store(then, Ordering::Relaxed);
        Duration::from_millis((now.0 - ahead - of_this_machine().0).unsigned_abs())
    }

    /// Advances this clock and all its clones.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(millis(by), Ordering::Relaxed);
    }
}

fn of_this_machine() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    SystemTime::now().into()
}

/// The maximum difference between the clocks of nodes. Anything further ahead was written by a wrong clock: a wait,
/// a session or a link would otherwise last until the time it showed.
pub(crate) const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// An instant in UTC, in milliseconds since 1970. Stored as an integer, so that both databases compare it alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Reads the value of [`as_millis`](Self::as_millis).
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

    /// The time since `earlier`; zero if that is later than this.
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

impl From<Timestamp> for SystemTime {
    fn from(at: Timestamp) -> Self {
        let since = Duration::from_millis(at.0.unsigned_abs());
        if at.0 < 0 { UNIX_EPOCH - since } else { UNIX_EPOCH + since }
    }
}

/// In UTC, to the millisecond.
impl From<Timestamp> for OffsetDateTime {
    fn from(at: Timestamp) -> Self {
        at.utc() + Duration::from_millis(at.0.rem_euclid(1000).unsigned_abs())
    }
}

/// As [`rfc3339`](Timestamp::rfc3339).
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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

/// In milliseconds, saturating.
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
    fn a_timestamp_becomes_other_instants() {
        let at = Timestamp(1_795_270_361_999);
        assert_eq!(Timestamp::from(SystemTime::from(at)), at);
        assert_eq!(OffsetDateTime::from(at), OffsetDateTime::from(SystemTime::from(at)));
        let before = Timestamp(-1_500);
        assert_eq!(OffsetDateTime::from(before), OffsetDateTime::from(SystemTime::from(before)));
    }

    #[test]
    fn clones_of_a_clock_move_together() {
        let (clock, hand) = (Clock::default(), Clock::default());
        let other = clock.clone();
        other.advance(Duration::from_hours(1));
        assert!(clock.now().since(hand.now()) >= Duration::from_secs(3599));
    }
}
