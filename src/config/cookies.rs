//! The names of cookies.

use super::{Config, ConfigError, Must, PublicUrl};

/// The cookies of the service.
#[derive(Clone, Copy)]
pub(crate) enum Cookies {
    Session,
    KnownDevice,
    Notice,
    Draft,
    /// Comes with a form and says nothing: whether it is sent back shows whether the browser keeps cookies.
    Trial,
    TypedEmail,
}

/// The names, in the order of [`Cookies`].
pub(super) type CookieNames = [String; 6];

/// The names of the cookies but the session's.
const OTHERS: [&str; 5] = [
    "vestibule_device",
    "vestibule_notice",
    "vestibule_draft",
    "vestibule_trial",
    "vestibule_email",
];

/// The name of the session cookie of the binary, which older clients read.
const OF_SERVICE: &str = "session_id";
/// The one in a host app, which may have a `session_id` of its own.
const OF_GUEST: &str = "vestibule_session";

impl Config {
    /// The name of a cookie. With `__Host-`, the browser only accepts it from this host and over https: another
    /// subdomain can neither plant nor replace it (RFC 6265bis, 4.1.3.2).
    pub(crate) fn cookie_name(&self, cookie: Cookies) -> &str {
        &self.cookie_names[cookie as usize]
    }

    /// Decides on the names. A browser sends cookies to every port of a host: over http, two services on one host would
    /// sign each other's users out, so the port of `public_url` is part of the names, unless a setting names the cookie.
    pub(crate) fn name_cookies(&mut self, is_whole_service: bool) {
        let default = if is_whole_service { OF_SERVICE } else { OF_GUEST };
        let prefix = if self.is_https() { "__Host-" } else { "" };
        let port = self.public_url.as_ref().and_then(PublicUrl::http_port);
        let port = port.map_or_else(String::new, |port| format!("_{port}"));
        let named = |name: &str| format!("{prefix}{name}{port}");
        let session = match &self.session.cookie_name {
            Some(name) => format!("{prefix}{name}"),
            None => named(default),
        };
        let [device, notice, draft, trial, email] = OTHERS.map(named);
        self.cookie_names = [session, device, notice, draft, trial, email];
    }

    pub(super) fn check_cookies(&self) -> Result<(), ConfigError> {
        let Some(name) = &self.session.cookie_name else { return Ok(()) };
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        let is_ours = OTHERS.iter().any(|other| name.starts_with(other));
        // A browser gives names that begin with two underscores a meaning.
        if name.is_empty() || name.starts_with("__") || is_ours || !name.bytes().all(is_plain) {
            return Err(ConfigError::must("vestibule.session.cookie_name", Must::CookieName));
        }
        Ok(())
    }
}
