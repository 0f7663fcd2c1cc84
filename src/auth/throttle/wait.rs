//! Refusals for a limited time.

use std::time::Duration;

use crate::clock::Timestamp;

/// Why to refuse, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Too many attempts.
    TooManyAttempts(Duration),
    /// Too many messages to new accounts of one site are waiting.
    SignUps(Duration),
    /// Too many passwords to hash at once.
    Busy(Duration),
    /// The outbox is full.
    Outbox(Duration),
    /// One site's share of the outbox is full.
    Messages(Duration),
}

impl Wait {
    pub(in crate::auth) fn until(at: Timestamp, now: Timestamp) -> Self {
        Self::TooManyAttempts(at.since(now))
    }

    /// Rounded up to whole seconds, at least one.
    pub(crate) fn seconds(self) -> u64 {
        let (Self::TooManyAttempts(time)
        | Self::SignUps(time)
        | Self::Busy(time)
        | Self::Outbox(time)
        | Self::Messages(time)) = self;
        time.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
    }
}
