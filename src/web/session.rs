//! Signing a browser in and out: the only place that reads, writes and removes the cookies of the session and the
//! known device; and who a guard has found signed in.

use std::sync::{Arc, OnceLock};

use percent_encoding::percent_decode_str;
use rocket::Request;
use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::time::Duration;

use crate::auth::{
    Auth, Client, KNOWN_FOR, KnownDevice, NewSession, PasswordProof, Session, SessionToken,
};
use crate::config::{Config, Cookies};
use crate::web::typed_email::TypedEmail;
use crate::{Error, UserId};

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
    TypedEmail::forget(jar, auth.config());
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
    let config = auth.config();
    remove(jar, config);
    // What somebody has typed is not for the next person at this browser.
    if jar.get(config.cookie_name(Cookies::Draft)).is_some() {
        jar.remove_private(cookie(config, Cookies::Draft, String::new()));
    }
    Ok(())
}

/// The token in the session cookie, if it is valid.
pub(in crate::web) fn read(jar: &CookieJar<'_>, config: &Config) -> Option<SessionToken> {
    jar.get_private(config.cookie_name(Cookies::Session))?.value().parse().ok()
}

/// Whose session was in the cookie, even if it has ended, or else who signed in last; `None` if that is not known.
pub(in crate::web) async fn last_user(jar: &CookieJar<'_>, auth: &Auth) -> Option<UserId> {
    let owner = match read(jar, auth.config()) {
        Some(token) => auth.owner_of(&token).await.ok()?,
        None => None,
    };
    owner.or_else(|| {
        let known = jar.get_private(auth.config().cookie_name(Cookies::KnownDevice))?;
        KnownDevice::read_all(known.value()).first().map(|device| device.user)
    })
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
    let mut cookie = cookie(config, Cookies::Session, new.token.in_cookie());
    if new.remember {
        let limit = config.session.remembered_absolute_ttl;
        cookie.set_max_age(Duration::try_from(limit).unwrap_or(Duration::MAX));
    }
    jar.add_private(cookie);
}

/// Removes the session cookie. Sends all attributes: a browser does not remove a `__Host-` cookie without `Secure`.
pub(in crate::web) fn remove(jar: &CookieJar<'_>, config: &Config) {
    jar.remove_private(cookie(config, Cookies::Session, String::new()));
}

/// The accounts that this browser has opened before.
pub(in crate::web) fn read_devices(request: &Request<'_>, config: &Config) -> Vec<KnownDevice> {
    if is_forged(request, Cookies::KnownDevice, config) {
        return Vec::new();
    }
    let cookie = request.cookies().get_private(config.cookie_name(Cookies::KnownDevice));
    cookie.map_or_else(Vec::new, |cookie| KnownDevice::read_all(cookie.value()))
}

/// Whether the browser has sent a cookie that it got from us.
pub(in crate::web) fn keeps_cookies(jar: &CookieJar<'_>, config: &Config) -> bool {
    // Not the notice: showing it removes it.
    let lasting = [Cookies::Session, Cookies::KnownDevice, Cookies::Trial];
    lasting.into_iter().any(|cookie| jar.get(config.cookie_name(cookie)).is_some())
}

/// Sets a cookie with a form to sign in, unless the browser has one of ours: the form will show whether it was kept.
pub(in crate::web) fn try_cookie(jar: &CookieJar<'_>, config: &Config) {
    if !keeps_cookies(jar, config) {
        jar.add(cookie(config, Cookies::Trial, "1"));
    }
}

/// Adds an account to the cookie of the known device.
pub(in crate::web) fn write_device(
    jar: &CookieJar<'_>,
    config: &Config,
    device: impl Into<Option<KnownDevice>>,
    client: &Client,
) {
    let Some(device) = device.into() else { return };
    let known = KnownDevice::write_all(&device.before(&client.devices));
    let mut cookie = cookie(config, Cookies::KnownDevice, known);
    cookie.set_max_age(Duration::try_from(KNOWN_FOR).unwrap_or(Duration::MAX));
    jar.add_private(cookie);
}

/// Sets every attribute explicitly: Rocket's defaults are `SameSite=Strict` (signed out after following a link in
/// an email), one week, and `Secure` only if Rocket itself terminates TLS.
pub(in crate::web) fn cookie(
    config: &Config,
    which: Cookies,
    value: impl Into<String>,
) -> Cookie<'static> {
    Cookie::build((config.cookie_name(which).to_owned(), value.into()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(config.is_https())
        .expires(None)
        .build()
}

/// What the look-up of this request's session has found.
#[derive(Default)]
struct Found(OnceLock<Option<Arc<Session>>>);

/// Notes what was found: the response may be for this person alone.
pub(in crate::web) fn note(request: &Request<'_>, session: Option<&Arc<Session>>) {
    let _ = request.local_cache(Found::default).0.set(session.cloned());
}

/// Whether a look-up has said who is signed in, or that nobody is.
pub(in crate::web) fn is_looked_up(request: &Request<'_>) -> bool {
    request.local_cache(Found::default).0.get().is_some()
}

/// The session that a look-up has found. With one, the response may be for this person alone.
pub(in crate::web) fn found<'r>(request: &'r Request<'_>) -> Option<&'r Session> {
    request.local_cache(Found::default).0.get()?.as_deref()
}
