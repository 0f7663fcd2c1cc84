//! The cross-site check: no other site can make a browser act here (ASVS 3.5.1). One check, before
//! any handler, that no route can forget.

use rocket::http::uri::Origin;
use rocket::http::{Method, Status};
use rocket::{Request, get, uri};

use super::errors::Refusal;
use crate::config::Config;

/// Where a refused request is led, or `None` if it may pass.
///
/// Browsers say where a request comes from in `Sec-Fetch-Site`, older ones in `Origin`, and scripts
/// cannot forge either. A client that sends neither is no browser, and has no cookies to abuse.
pub(super) fn refuse(request: &Request<'_>) -> Option<Origin<'static>> {
    if matches!(request.method(), Method::Get | Method::Head | Method::Options) {
        return None;
    }
    let header = |name| request.headers().get_one(name);
    let is_foreign = match (header("Sec-Fetch-Site"), header("Origin")) {
        (Some(site), _) => matches!(site, "cross-site" | "same-site"),
        (None, Some(origin)) => {
            let config: Option<&std::sync::Arc<Config>> = request.rocket().state();
            !config.is_some_and(|config| config.is_own_origin(origin))
        }
        (None, None) => false,
    };
    is_foreign.then(|| uri!(refused))
}

#[get("/-/refused")]
pub(super) fn refused() -> Refusal {
    Refusal::new(
        Status::Forbidden,
        "This request came from another website, so nothing was done. If you pressed a button on \
         this site, load the page anew and try again.",
    )
}
