//! Not now.

use std::time::Duration;

use crate::clock::Timestamp;

/// Not now: why, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It has been tried too often.
    TooManyTries(Duration),
    /// So many people have signed up from one network that their messages have to wait.
    SignUps(Duration),
    /// Too many people want their passwords hashed at the same time.
    Crowd(Duration),
    /// So many messages wait to leave that no more are taken.
    Outbox(Duration),
    /// Likewise, of those that one site has caused.
    Messages(Duration),
}

impl Wait {
    pub(in crate::auth) fn until(at: Timestamp, now: Timestamp) -> Self {
        Self::TooManyTries(at.since(now))
    }

    /// Whole seconds, at least one.
    pub(crate) fn seconds(self) -> u64 {
        let (Self::TooManyTries(time)
        | Self::SignUps(time)
        | Self::Crowd(time)
        | Self::Outbox(time)
        | Self::Messages(time)) = self;
        time.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, unit) = match self.seconds() {
            seconds @ ..90 => (seconds, "second"),
            seconds => (seconds.div_ceil(60), "minute"),
        };
        let s = if n == 1 { "" } else { "s" };
        match self {
            Self::TooManyTries(_) => write!(f, "Too many tries. Wait {n} {unit}{s} and try again."),
            Self::SignUps(_) => write!(
                f,
                "Many people have just signed up from your network. Wait {n} {unit}{s} and try again."
            ),
            Self::Crowd(_) => write!(
                f,
                "Very many people are logging in just now. Wait {n} {unit}{s} and try again."
            ),
            Self::Outbox(_) => write!(
                f,
                "Too many e-mails are waiting to be sent just now. Wait {n} {unit}{s} and try again."
            ),
            Self::Messages(_) => write!(
                f,
                "Too many e-mails that your network asked for are waiting to be sent. Wait {n} {unit}{s} \
                 and try again."
            ),
        }
    }
}
