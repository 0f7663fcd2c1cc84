//! The texts for programs. Older clients rely on these bodies byte for byte.

pub(crate) const WELCOME: &str = "Bienvenue";
pub(crate) const SIGNED_UP: &str = "user created";
pub(crate) const EMAIL_TAKEN: &str = "email already registered";
pub(crate) const SIGNED_IN: &str = "logged in";
pub(crate) const SIGNED_OUT: &str = "logged out";
pub(crate) const NOT_SIGNED_IN: &str = "not logged in";
pub(crate) const RESET_LINK_SENT: &str = "reset link sent";
pub(crate) const PASSWORD_UPDATED: &str = "Password updated";
pub(crate) const UNKNOWN_EMAIL: &str = "no account has this address";

/// The service can work, for monitoring.
pub(crate) const READY: &str = "ok";
pub(crate) const READ_ONLY: &str = "the database cannot be written";
pub(crate) const STOPPING: &str = "about to end";
