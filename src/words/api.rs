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
pub(crate) const LOGIN_TOO_OLD: &str =
    "the sign-in is too old: give the password to /api/v1/recent_login first";
pub(crate) const LINK_SENT: &str = "link sent";
pub(crate) const LINK_IS_WAITING: &str = "a link is on its way already";
pub(crate) const ENOUGH_LINKS: &str = "several links still work";
pub(crate) const EMAIL_VERIFIED: &str = "email verified";
pub(crate) const SIGN_UP_LINK_SENT: &str =
    "link sent: the account is created once the email address is confirmed";
pub(crate) const CANCELLED: &str = "cancelled";
pub(crate) const EMAIL_CHANGED: &str = "email changed";
pub(crate) const EMAIL_PUT_BACK: &str = "email put back";
pub(crate) const DELETED: &str = "account deleted";
pub(crate) const RESTORED: &str = "account restored";

/// The service can work, for monitoring.
pub(crate) const READY: &str = "ok";
pub(crate) const READ_ONLY: &str = "the database cannot be written";
pub(crate) const STOPPING: &str = "about to end";
