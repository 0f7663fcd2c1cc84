//! The email address that was typed last, so that nobody types it twice: from signing in to resetting the password and
//! to signing up. It goes along in a sealed cookie, and not in a URL, which logs, histories and other sites keep.

use std::time::Duration;

use rocket::http::CookieJar;

use crate::Email;
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::config::{Config, Cookies};
use crate::web::session::cookie;

/// As long as a reset link works: until then somebody may come back to ask for another.
const KEPT_FOR: Duration = Duration::from_hours(1);

/// The address, and how often this browser has asked for a link to it. What others have asked for is not among it, so
/// that it tells nothing of the account.
pub(in crate::web) struct TypedEmail {
    pub(in crate::web) email: Email,
    links: i64,
    first_asked_at: Timestamp,
}

impl TypedEmail {
    /// `None` if no address was typed within the last hour.
    pub(in crate::web) fn read(jar: &CookieJar<'_>, auth: &Auth) -> Option<Self> {
        let cookie = jar.get_private(auth.config().cookie_name(Cookies::TypedEmail))?;
        let mut parts = cookie.value().splitn(3, ' ');
        let (links, at) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let first_asked_at = Timestamp::from_millis(at);
        let email = parts.next()?.parse().ok()?;
        let is_kept = auth.now().since(first_asked_at) < KEPT_FOR;
        is_kept.then_some(Self { email, links, first_asked_at })
    }

    /// Fills in the form of the next page.
    pub(in crate::web) fn keep(jar: &CookieJar<'_>, auth: &Auth, email: Email) {
        Self::of(jar, auth, email).write(jar, auth.config());
    }

    /// A link to the address was asked for.
    pub(in crate::web) fn ask(jar: &CookieJar<'_>, auth: &Auth, email: Email) {
        let typed = Self::of(jar, auth, email);
        Self { links: typed.links + 1, ..typed }.write(jar, auth.config());
    }

    /// Somebody has signed in: whoever sits here next is not told who.
    pub(in crate::web) fn forget(jar: &CookieJar<'_>, config: &Config) {
        if jar.get(config.cookie_name(Cookies::TypedEmail)).is_some() {
            jar.remove_private(cookie(config, Cookies::TypedEmail, ""));
        }
    }

    /// Whether this browser has asked for a link to it.
    pub(in crate::web) fn has_asked(&self) -> bool {
        self.links > 0
    }

    /// How many links this browser may still ask for within the hour.
    pub(in crate::web) fn links_left(&self, config: &Config) -> i64 {
        config.throttle.emails_to_address.saturating_sub(self.links).max(0)
    }

    /// How long until it may ask for more.
    pub(in crate::web) fn wait(&self, auth: &Auth) -> Duration {
        KEPT_FOR.saturating_sub(auth.now().since(self.first_asked_at))
    }

    /// What is kept of this address, or the beginning of it.
    fn of(jar: &CookieJar<'_>, auth: &Auth, email: Email) -> Self {
        match Self::read(jar, auth).filter(|typed| typed.email == email && typed.links > 0) {
            Some(typed) => Self { email, ..typed },
            None => Self { email, links: 0, first_asked_at: auth.now() },
        }
    }

    fn write(&self, jar: &CookieJar<'_>, config: &Config) {
        let Self { email, links, first_asked_at } = self;
        let value = format!("{links} {} {}", first_asked_at.as_millis(), email.as_str());
        let mut cookie = cookie(config, Cookies::TypedEmail, value);
        cookie.set_max_age(rocket::time::Duration::HOUR);
        jar.add_private(cookie);
    }
}
