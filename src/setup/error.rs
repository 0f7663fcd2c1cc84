//! Why the service does not start. The sentences are in `words::start`.

use std::io;
use std::path::PathBuf;

use crate::auth::OpenError;
use crate::config::ConfigError;
use crate::mail::MailError;

/// Why the service does not start.
pub(crate) enum StartError {
    Config(ConfigError),
    DataFolder {
        folder: PathBuf,
        error: io::Error,
    },
    SecretKey {
        folder: PathBuf,
        error: io::Error,
    },
    Mail(MailError),
    Accounts(OpenError),
    DatabaseIsNotOpen,
    /// A Rocket has one service.
    AttachedTwice,
    /// The service cannot be mounted at this path.
    NoPath(String),
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<MailError> for StartError {
    fn from(error: MailError) -> Self {
        Self::Mail(error)
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::Accounts(error)
    }
}
