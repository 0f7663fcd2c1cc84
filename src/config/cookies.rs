//! The names of cookies.

use super::Config;

/// The cookies of the service.
#[derive(Clone, Copy)]
pub(crate) enum Cookies {
    Session,
    KnownDevice,
    Notice,
}

impl Config {
    /// The name of a cookie. With `__Host-`, the browser only accepts it from this host and over https: another
    /// subdomain can neither plant nor replace it (RFC 6265bis, 4.1.3.2).
    pub(crate) fn cookie_name(&self, cookie: Cookies) -> &'static str {
        match (cookie, self.is_https()) {
            (Cookies::Session, true) => "__Host-session_id",
            (Cookies::Session, false) => "session_id",
            (Cookies::KnownDevice, true) => "__Host-vestibule_device",
            (Cookies::KnownDevice, false) => "vestibule_device",
            (Cookies::Notice, true) => "__Host-notice",
            (Cookies::Notice, false) => "notice",
        }
    }
}
