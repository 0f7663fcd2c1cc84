//! The cookies that are worth something, the session and the device cookie: the one place that reads,
//! writes and removes them.

use percent_encoding::percent_decode_str;
use rocket::Request;
use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::time::Duration;

use super::NewSession;
use super::known_device::{Device, KNOWN_FOR};
use crate::auth::{Client, SessionToken};
use crate::config::{Config, Cookies};

/// The token that the browser sent, if it is one.
pub(crate) fn read(jar: &CookieJar<'_>, config: &Config) -> Option<SessionToken> {
    jar.get_private(config.cookie_name(Cookies::Session))?.value().parse().ok()
}

/// Whether another cookie's name becomes this one when it is decoded, as Rocket's own server does (ours does
/// not). To the browser it has no `__Host-` prefix, so that any subdomain may have set it.
pub(crate) fn is_feigned(request: &Request<'_>, cookie: Cookies, config: &Config) -> bool {
    let name = config.cookie_name(cookie);
    let pairs = request.headers().get("Cookie").flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| pair.split('=').next()).any(|raw| {
        raw.trim_matches([' ', '\t']) != name
            && percent_decode_str(raw).decode_utf8().is_ok_and(|decoded| decoded.trim() == name)
    })
}

/// Hands a session to the browser, and notes there that it has opened this account.
pub(crate) fn write(jar: &CookieJar<'_>, config: &Config, new: NewSession, client: &Client) {
    let device = new.device.clone();
    write_session(jar, config, &new);
    write_device(jar, config, device, client);
}

/// Hands a session to the browser; until it is closed, or for as long as a remembered session can
/// last.
pub(crate) fn write_session(jar: &CookieJar<'_>, config: &Config, new: &NewSession) {
    let mut cookie = cookie(config, new.token.in_cookie());
    if new.remember {
        let limit = config.session.remembered_absolute_ttl.get();
        cookie.set_max_age(Duration::try_from(limit).unwrap_or(Duration::MAX));
    }
    jar.add_private(cookie);
}

/// Takes the cookie from the browser. All attributes are sent: a browser keeps a `__Host-` cookie
/// that is removed without `Secure`.
pub(crate) fn remove(jar: &CookieJar<'_>, config: &Config) {
    jar.remove_private(cookie(config, String::new()));
}

/// The accounts that this browser has opened before.
pub(crate) fn read_devices(request: &Request<'_>, config: &Config) -> Vec<Device> {
    if is_feigned(request, Cookies::Device, config) {
        return Vec::new();
    }
    let cookie = request.cookies().get_private(config.cookie_name(Cookies::Device));
    cookie.map_or_else(Vec::new, |cookie| Device::read_all(cookie.value()))
}

/// Notes in the browser that it has opened an account.
pub(crate) fn write_device(jar: &CookieJar<'_>, config: &Config, device: Device, client: &Client) {
    let mut cookie = cookie(config, Device::write_all(&device.before(&client.devices)));
    cookie.set_name(config.cookie_name(Cookies::Device));
    cookie.set_max_age(Duration::try_from(KNOWN_FOR).unwrap_or(Duration::MAX));
    jar.add_private(cookie);
}

/// Every attribute by hand: Rocket's own defaults are `SameSite=Strict` (signed out after a click in
/// a message), one week, and `Secure` only if Rocket itself ends TLS.
fn cookie(config: &Config, value: String) -> Cookie<'static> {
    Cookie::build((config.cookie_name(Cookies::Session), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(config.is_https())
        .expires(None)
        .build()
}
