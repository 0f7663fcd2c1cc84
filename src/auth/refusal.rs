//! Why a method of [`Auth`](super::Auth) refused or failed.

use super::throttle::Wait;
use crate::Error;

/// A refusal, for a reason `R` of the method.
#[derive(Debug)]
pub(crate) enum Refused<R> {
    /// A reason specific to the method.
    Because(R),
    /// Not now: a rate limit, or too much load.
    Wait(Wait),
    /// An internal error.
    Failed(Error),
}

/// The refusals that any method may return.
#[derive(Debug)]
pub(crate) enum Limited {
    /// A rate limit, or too much load.
    Wait(Wait),
    /// An internal error.
    Failed(Error),
}

impl<R> Refused<R> {
    /// Converts the reason.
    pub(crate) fn map<Q>(self, reason: impl FnOnce(R) -> Q) -> Refused<Q> {
        match self {
            Self::Because(own) => Refused::Because(reason(own)),
            Self::Wait(wait) => Refused::Wait(wait),
            Self::Failed(error) => Refused::Failed(error),
        }
    }
}

impl From<Error> for Limited {
    /// Too much load passes and is not an error.
    fn from(error: Error) -> Self {
        error.busy_for().map_or(Self::Failed(error), |wait| Self::Wait(Wait::Busy(wait)))
    }
}

impl<R> From<Error> for Refused<R> {
    fn from(error: Error) -> Self {
        Limited::from(error).into()
    }
}

impl<R> From<Limited> for Refused<R> {
    fn from(limited: Limited) -> Self {
        match limited {
            Limited::Wait(wait) => Self::Wait(wait),
            Limited::Failed(error) => Self::Failed(error),
        }
    }
}

impl From<Wait> for Limited {
    fn from(wait: Wait) -> Self {
        Self::Wait(wait)
    }
}

impl<R> From<Wait> for Refused<R> {
    fn from(wait: Wait) -> Self {
        Self::Wait(wait)
    }
}

/// An enum of refusals for host apps, with a sentence for developers each, beside [`Error`] as `Failed`.
macro_rules! public_refusal {
    ($Refusal:ident { $($variant:ident: $text:literal),* $(,)? }) => {
        impl std::fmt::Display for $Refusal {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)*
                    Self::Failed(error) => error.fmt(f),
                }
            }
        }

        impl std::error::Error for $Refusal {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                match self {
                    $(Self::$variant => None,)*
                    Self::Failed(error) => Some(error),
                }
            }
        }
    };
}
pub(in crate::auth) use public_refusal;
