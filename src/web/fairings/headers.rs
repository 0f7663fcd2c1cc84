//! The security headers of every response.

use rocket::http::Header;
use rocket::{Request, Response};

use crate::auth::Auth;
use crate::config::{Cookies, Hsts};
use crate::web::fairings::link_secrets;
use crate::web::paths::{asked_path, urls_of};

/// Nothing is loaded from, sent to, or framed by another site, and no scripts run.
const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                   base-uri 'none'; frame-ancestors 'none'";

/// For pages: the same, and the script of `static/` runs. None in the page itself does, so that what somebody types
/// cannot become one.
const CSP_OF_PAGES: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                            form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(in crate::web) fn set(request: &Request<'_>, response: &mut Response<'_>) {
    // `no-referrer` would make browsers send `Origin: null` with our own forms. Pages with a secret in their path
    // send only the origin, and no search engine lists them.
    let is_secret = link_secrets::secret_in(asked_path(request), urls_of(request)).is_some();
    let config = request.rocket().state::<Auth>().map(Auth::config);
    let hsts = config.filter(|config| config.is_https()).and_then(|config| match config.hsts {
        Hsts::Off => None,
        Hsts::Host => Some("max-age=31536000"),
        Hsts::Subdomains => Some("max-age=31536000; includeSubDomains"),
    });
    let mut ours = [
        ("Content-Security-Policy", None),
        ("X-Content-Type-Options", Some("nosniff")),
        ("Cross-Origin-Opener-Policy", Some("same-origin")),
        ("Cross-Origin-Resource-Policy", Some("same-origin")),
        ("Referrer-Policy", Some(if is_secret { "strict-origin" } else { "same-origin" })),
        ("Cache-Control", Some("no-store")),
        ("Strict-Transport-Security", hsts),
    ];
    if is_secret {
        response.set_header(Header::new("X-Robots-Tag", "noindex"));
    }
    // A static file has a `Cache-Control` of its own, and a host app may have set any of them. Compared in one pass:
    // Rocket's map hashes a name byte by byte.
    let mut is_set = [false; 7];
    let mut is_page = false;
    for header in response.headers().iter() {
        is_page |= header.name() == "Content-Type" && header.value().starts_with("text/html");
        for (is_set, (name, _)) in is_set.iter_mut().zip(ours) {
            *is_set |= header.name() == name;
        }
    }
    ours[0].1 = Some(if is_page { CSP_OF_PAGES } else { CSP });
    for (is_set, (name, value)) in is_set.into_iter().zip(ours) {
        if let (false, Some(value)) = (is_set, value) {
            response.set_header(Header::new(name, value));
        }
    }
}

/// Forbids caches to keep the response, unless the host has decided otherwise.
pub(in crate::web) fn keep_out_of_caches(response: &mut Response<'_>) {
    if !response.headers().iter().any(|header| header.name() == "Cache-Control") {
        response.set_header(Header::new("Cache-Control", "no-store"));
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
