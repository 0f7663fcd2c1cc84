//! What every answer says to the browser.

use rocket::http::Header;
use rocket::{Request, Response};

use super::assets;
use super::links::LINKED;
use crate::auth::Auth;

/// Nothing is loaded from, sent to, or framed by another site, and no script runs.
const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                   base-uri 'none'; frame-ancestors 'none'";

pub(super) fn set(request: &Request<'_>, response: &mut Response<'_>) {
    let is_success = response.status().class().is_success();
    let mut set = |name: &'static str, value: &'static str| {
        response.set_header(Header::new(name, value));
    };
    let path = super::asked_path(request);
    set("Content-Security-Policy", CSP);
    set("X-Content-Type-Options", "nosniff");
    set("Cross-Origin-Opener-Policy", "same-origin");
    set("Cross-Origin-Resource-Policy", "same-origin");
    // `no-referrer` would make browsers send `Origin: null` with our own forms. On pages whose path
    // is a secret, the origin alone goes out.
    let is_secret = LINKED.into_iter().any(|page| path.starts_with(page));
    set("Referrer-Policy", if is_secret { "strict-origin" } else { "same-origin" });
    if !(is_success && assets::PATHS.contains(&path)) {
        set("Cache-Control", "no-store");
    }
    let config = request.rocket().state::<Auth>().map(Auth::config);
    if config.is_some_and(|config| config.hsts && config.is_https()) {
        set("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    }
}
