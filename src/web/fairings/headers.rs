//! The security headers of every response.

use rocket::http::Header;
use rocket::{Request, Response};

use crate::auth::Auth;
use crate::config::Cookies;
use crate::web::fairings::link_secrets;
use crate::web::paths::{asked_path, urls_of};

/// Nothing is loaded from, sent to, or framed by another site, and no scripts run.
const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                   base-uri 'none'; frame-ancestors 'none'";

pub(in crate::web) fn set(request: &Request<'_>, response: &mut Response<'_>) {
    // A static file has a `Cache-Control` of its own, and a host app may have set any of them. Looked for one by one:
    // Rocket's map hashes a name byte by byte.
    let mut set = |name: &'static str, value: &'static str| {
        if !response.headers().iter().any(|header| header.name() == name) {
            response.set_header(Header::new(name, value));
        }
    };
    set("Content-Security-Policy", CSP);
    set("X-Content-Type-Options", "nosniff");
    set("Cross-Origin-Opener-Policy", "same-origin");
    set("Cross-Origin-Resource-Policy", "same-origin");
    // `no-referrer` would make browsers send `Origin: null` with our own forms. Pages with a secret in their path
    // send only the origin.
    let is_secret = link_secrets::secret_in(asked_path(request), urls_of(request)).is_some();
    set("Referrer-Policy", if is_secret { "strict-origin" } else { "same-origin" });
    set("Cache-Control", "no-store");
    let config = request.rocket().state::<Auth>().map(Auth::config);
    if config.is_some_and(|config| config.hsts && config.is_https()) {
        set("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    }
}

/// Puts the session's cookie first: Rocket keeps cookies in no order, and older clients read the first one.
pub(in crate::web) fn order_cookies(request: &Request<'_>, response: &mut Response<'_>) {
    let set = response.headers().iter().filter(|header| header.name() == "Set-Cookie");
    let set: Vec<String> = set.map(|header| header.value().to_owned()).collect();
    if set.len() < 2 {
        return;
    }
    let config = request.rocket().state::<Auth>().map(Auth::config);
    let session = config.map_or("", |config| config.cookie_name(Cookies::Session));
    let is_session =
        |cookie: &&String| cookie.strip_prefix(session).is_some_and(|rest| rest.starts_with('='));
    let (first, others): (Vec<_>, Vec<_>) = set.iter().partition(is_session);
    response.remove_header("Set-Cookie");
    for cookie in first.into_iter().chain(others) {
        response.adjoin_header(Header::new("Set-Cookie", cookie.clone()));
    }
}
