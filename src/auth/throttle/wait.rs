//! Not now.

use std::time::Duration;

use crate::clock::Timestamp;

/// Not now: why, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It has been tried too often.
    TooManyAttempts(Duration),
    /// So many people have signed up from one network that their messages have to wait.
    SignUps(Duration),
    /// Too many people want their passwords hashed at the same time.
    Busy(Duration),
    /// So many messages wait to leave that no more are taken.
    Outbox(Duration),
    /// Likewise, of those that one site has caused.
    Messages(Duration),
}

impl Wait {
    pub(in crate::auth) fn until(at: Timestamp, now: Timestamp) -> Self {
        Self::TooManyAttempts(at.since(now))
    }

    /// Whole seconds, at least one.
    pub(crate) fn seconds(self) -> u64 {
        let (Self::TooManyAttempts(time)
        | Self::SignUps(time)
        | Self::Busy(time)
        | Self::Outbox(time)
        | Self::Messages(time)) = self;
        time.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
    }
}
