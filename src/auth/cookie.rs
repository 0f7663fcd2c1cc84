//! The cookies that are worth something, the session and the device cookie: the one place that reads,
//! writes and removes them.

use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::time::Duration;

use super::device::Device;
use super::session::NewSession;
use super::{Client, SessionToken};
use crate::config::Config;

/// The token that the browser sent, if it is one.
pub(crate) fn read(jar: &CookieJar<'_>, config: &Config) -> Option<SessionToken> {
    jar.get_private(name(config))?.value().parse().ok()
}

/// Hands a session to the browser; until it is closed, or for as long as a remembered session can
/// last. And notes there that it has opened this account.
pub(crate) fn write(jar: &CookieJar<'_>, config: &Config, new: NewSession, client: &Client) {
    let mut cookie = cookie(config, new.token.in_cookie());
    if new.remember {
        let limit = config.session.remembered_absolute_ttl.get();
        cookie.set_max_age(Duration::try_from(limit).unwrap_or(Duration::MAX));
    }
    jar.add_private(cookie);
    write_device(jar, config, new.device, client);
}

/// Takes the cookie from the browser. All attributes are sent: a browser keeps a `__Host-` cookie
/// that is removed without `Secure`.
pub(crate) fn remove(jar: &CookieJar<'_>, config: &Config) {
    jar.remove_private(cookie(config, String::new()));
}

const DEVICE: &str = "vestibule_device";

/// The accounts that this browser has opened before.
pub(crate) fn read_devices(jar: &CookieJar<'_>) -> Vec<Device> {
    jar.get_private(DEVICE).map_or_else(Vec::new, |cookie| Device::read_all(cookie.value()))
}

/// Notes in the browser that it has opened an account, for 180 days.
pub(crate) fn write_device(jar: &CookieJar<'_>, config: &Config, device: Device, client: &Client) {
    let mut cookie = cookie(config, Device::write_all(&device.before(&client.devices)));
    cookie.set_name(DEVICE);
    cookie.set_max_age(Duration::days(180));
    jar.add_private(cookie);
}

/// Every attribute by hand: Rocket's own defaults are `SameSite=Strict` (signed out after a click in
/// a letter), one week, and `Secure` only if Rocket itself ends TLS.
fn cookie(config: &Config, value: String) -> Cookie<'static> {
    Cookie::build((name(config), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(config.is_https())
        .expires(None)
        .build()
}

/// `__Host-` makes the browser refuse the cookie from any other host or without TLS (RFC 6265bis,
/// 4.1.3.2).
fn name(config: &Config) -> &'static str {
    if config.is_https() { "__Host-session_id" } else { "session_id" }
}
