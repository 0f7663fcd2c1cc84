//! Signing a browser in and out: the only place that reads, writes and removes the cookies of the session and the
//! known device.

use percent_encoding::percent_decode_str;
use rocket::Request;
use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::response::Redirect;
use rocket::time::Duration;

use crate::Error;
use crate::auth::{Auth, Client, KNOWN_FOR, KnownDevice, NewSession, PasswordProof, SessionToken};
use crate::config::{Config, Cookies};
use crate::urls::{SIGN_IN, Urls};

/// Redirects to the sign-in page, and from there back to `next`.
pub(in crate::web) fn sign_in_first(urls: &Urls, next: &str) -> Redirect {
    Redirect::to(urls.and_then(SIGN_IN, next))
}

/// Signs a user in on this browser; `false` if the account has changed since the proof was given.
pub(in crate::web) async fn sign_in(
    auth: &Auth,
    jar: &CookieJar<'_>,
    client: &Client,
    proof: &PasswordProof,
    remember: bool,
) -> Result<bool, Error> {
    let replaced = read(jar, auth.config());
    let Some(new) = auth.start_session(proof, remember, client, replaced).await? else {
        return Ok(false);
    };
    write(jar, auth.config(), new, client);
    Ok(true)
}

/// Ends the session that has replaced the one in the cookie after a password change: signing out with the old
/// cookie means the new session. Returns whether there was one.
pub(in crate::web) async fn end_session(
    auth: &Auth,
    jar: &CookieJar<'_>,
    client: &Client,
) -> Result<bool, Error> {
    match read(jar, auth.config()) {
        Some(token) => auth.sign_out(&token, client).await,
        None => Ok(false),
    }
}

/// Ends the session of this browser, if it has one, in the database and then in the browser.
pub(in crate::web) async fn sign_out(
    auth: &Auth,
    jar: &CookieJar<'_>,
    client: &Client,
) -> Result<(), Error> {
    if let Some(token) = read(jar, auth.config()) {
        auth.sign_out(&token, client).await?;
    }
    remove(jar, auth.config());
    Ok(())
}

/// The token in the session cookie, if it is valid.
pub(in crate::web) fn read(jar: &CookieJar<'_>, config: &Config) -> Option<SessionToken> {
    jar.get_private(config.cookie_name(Cookies::Session))?.value().parse().ok()
}

/// Whether the name of another cookie becomes this one when decoded, as Rocket's own server does (ours does not).
/// To the browser it has no `__Host-` prefix, so that any subdomain may have set it.
pub(in crate::web) fn is_forged(request: &Request<'_>, cookie: Cookies, config: &Config) -> bool {
    let name = config.cookie_name(cookie);
    let pairs = request.headers().get("Cookie").flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| pair.split('=').next()).any(|raw| {
        raw.trim_matches([' ', '\t']) != name
            && percent_decode_str(raw).decode_utf8().is_ok_and(|decoded| decoded.trim() == name)
    })
}

/// Sets the cookies of a session and of the known device.
pub(in crate::web) fn write(
    jar: &CookieJar<'_>,
    config: &Config,
    new: NewSession,
    client: &Client,
) {
    let device = new.device.clone();
    write_session(jar, config, &new);
    write_device(jar, config, device, client);
}

/// Sets the session cookie: until the browser is closed, or for the maximum time of a remembered session.
pub(in crate::web) fn write_session(jar: &CookieJar<'_>, config: &Config, new: &NewSession) {
    let mut cookie = cookie(config, new.token.in_cookie());
    if new.remember {
        let limit = config.session.remembered_absolute_ttl;
        cookie.set_max_age(Duration::try_from(limit).unwrap_or(Duration::MAX));
    }
    jar.add_private(cookie);
}

/// Removes the session cookie. Sends all attributes: a browser does not remove a `__Host-` cookie without `Secure`.
pub(in crate::web) fn remove(jar: &CookieJar<'_>, config: &Config) {
    jar.remove_private(cookie(config, String::new()));
}

/// The accounts that this browser has opened before.
pub(in crate::web) fn read_devices(request: &Request<'_>, config: &Config) -> Vec<KnownDevice> {
    if is_forged(request, Cookies::KnownDevice, config) {
        return Vec::new();
    }
    let cookie = request.cookies().get_private(config.cookie_name(Cookies::KnownDevice));
    cookie.map_or_else(Vec::new, |cookie| KnownDevice::read_all(cookie.value()))
}

/// Adds an account to the cookie of the known device.
pub(in crate::web) fn write_device(
    jar: &CookieJar<'_>,
    config: &Config,
    device: KnownDevice,
    client: &Client,
) {
    let mut cookie = cookie(config, KnownDevice::write_all(&device.before(&client.devices)));
    cookie.set_name(config.cookie_name(Cookies::KnownDevice).to_owned());
    cookie.set_max_age(Duration::try_from(KNOWN_FOR).unwrap_or(Duration::MAX));
    jar.add_private(cookie);
}

/// Sets every attribute explicitly: Rocket's defaults are `SameSite=Strict` (signed out after following a link in
/// an email), one week, and `Secure` only if Rocket itself terminates TLS.
fn cookie(config: &Config, value: String) -> Cookie<'static> {
    Cookie::build((config.cookie_name(Cookies::Session).to_owned(), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(config.is_https())
        .expires(None)
        .build()
}

/// Whether the response is for one person.
struct IsPersonal(bool);

/// A guard has found who is signed in, so that the response may be for this person alone.
pub(in crate::web) fn mark_personal(request: &Request<'_>) {
    request.local_cache(|| IsPersonal(true));
}

/// Whether the response may be for one person alone.
pub(in crate::web) fn is_personal(request: &Request<'_>) -> bool {
    request.local_cache(|| IsPersonal(false)).0
}
