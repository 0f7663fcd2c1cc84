//! Why a verb of [`Auth`](super::Auth) did not do what it was asked to do.

use super::throttle::Wait;
use crate::Error;

/// Not done, and why.
#[derive(Debug)]
pub(crate) enum Refused<R> {
    /// For a reason that this verb has.
    Because(R),
    /// Not now: too often, or too many others at the same time.
    Wait(Wait),
    /// The service is at fault.
    Failed(Error),
}

/// What any verb may answer: not now, or the service is at fault.
#[derive(Debug)]
pub(crate) enum Limited {
    /// Too often, or too many others at the same time.
    Wait(Wait),
    /// The service is at fault.
    Failed(Error),
}

impl<R> Refused<R> {
    /// The same, with another reason.
    pub(crate) fn map<Q>(self, reason: impl FnOnce(R) -> Q) -> Refused<Q> {
        match self {
            Self::Because(own) => Refused::Because(reason(own)),
            Self::Wait(wait) => Refused::Wait(wait),
            Self::Failed(error) => Refused::Failed(error),
        }
    }
}

impl From<Error> for Limited {
    /// A crowd passes, and is no fault.
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
