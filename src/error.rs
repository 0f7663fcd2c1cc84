//! Errors that the user cannot fix.

use std::fmt;
use std::time::Duration;

/// A failure of the service itself: the database is not reachable, the disk is full, all hash workers are busy.
/// Refusing a user's input is never an `Error`; each method has an enum for that.
///
/// Opaque on purpose: callers show a general page (see [`Error::retry_after`]), and the cause goes to the log
/// through [`std::error::Error::source`].
#[derive(Debug)]
pub struct Error {
    what: &'static str,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { what, retry_after: None, source: Some(source.into()) }
    }

    /// Too much load; the request may be repeated after `retry_after`. The only kind without a cause.
    pub(crate) fn busy(what: &'static str, retry_after: Duration) -> Self {
        Self { what, retry_after: Some(retry_after), source: None }
    }

    /// When to repeat the request, if the only problem is load.
    pub(crate) fn busy_for(&self) -> Option<Duration> {
        self.retry_after.filter(|_| self.source.is_none())
    }

    pub(crate) fn database(source: sqlx::Error) -> Self {
        Self {
            what: "the database failed",
            retry_after: Some(Duration::from_secs(5)),
            source: Some(source.into()),
        }
    }

    /// Whether a row of another table refers to a row that was to be deleted.
    pub(crate) fn is_foreign_key_violation(&self) -> bool {
        let source = self.source.as_ref().and_then(|source| source.downcast_ref::<sqlx::Error>());
        source
            .and_then(sqlx::Error::as_database_error)
            .is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
    }

    /// Whether another row has this value already.
    pub(crate) fn is_unique_violation(&self) -> bool {
        let source = self.source.as_ref().and_then(|source| source.downcast_ref::<sqlx::Error>());
        source
            .and_then(sqlx::Error::as_database_error)
            .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    }

    /// When to repeat the request (HTTP: 503 with `Retry-After`); `None` if the error is not known to be temporary
    /// (HTTP: 500).
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

/// An error with its causes, for the log.
pub(crate) fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string().replace(['\n', '\r'], " ");
        // Some errors repeat their cause.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
