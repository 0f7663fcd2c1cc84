//! The cross-site check: no other site can make a browser act here (ASVS 3.5.1). A single check before all
//! handlers, so that no route can forget it.

use std::sync::Arc;

use log::warn;
use rocket::Request;
use rocket::http::{Method, Status};
use rocket::request::{FromRequest, Outcome};

use crate::config::Config;
use crate::seldom::Seldom;

/// Whether to refuse a request, ours or of a host's route. Logs the origins that differ, once a minute at most.
///
/// Browsers send the origin of a request in `Sec-Fetch-Site`, older ones in `Origin`, and scripts cannot forge
/// either. A client that sends neither is not a browser, and has no cookies to abuse.
pub(in crate::web) fn refuses(request: &Request<'_>) -> bool {
    if !is_foreign(request) {
        return false;
    }
    if let (Some(mismatch), Some(floods)) = (mismatch(request), request.rocket().state()) {
        let floods: &Floods = floods;
        floods.0.note(|times| {
            let Mismatch { named, own } = mismatch;
            warn!(
                "refused {times} requests: the browser says they come from {named:?}, and public_url is \
                 {own}. Is public_url what people type, and does a proxy send Referrer-Policy: no-referrer?"
            );
        });
    }
    true
}

/// Whether another website made the browser send a request that may change something.
fn is_foreign(request: &Request<'_>) -> bool {
    if matches!(request.method(), Method::Get | Method::Head | Method::Options) {
        return false;
    }
    let mut sites = request.headers().get("Sec-Fetch-Site");
    match (sites.next(), sites.next()) {
        (Some("same-origin" | "none"), None) => false,
        (Some("cross-site" | "same-site"), _) => true,
        // What no browser sends says nothing.
        _ => mismatch(request).is_some(),
    }
}

/// An origin sent by the browser that is not ours.
pub(in crate::web) struct Mismatch {
    pub(in crate::web) named: String,
    pub(in crate::web) own: String,
}

fn mismatch(request: &Request<'_>) -> Option<Mismatch> {
    let named = request.headers().get_one("Origin")?;
    let config: Option<&Arc<Config>> = request.rocket().state();
    if config.is_some_and(|config| config.is_own_origin(named)) {
        return None;
    }
    let named = named.chars().filter(|c| !c.is_control()).take(100).collect();
    Some(Mismatch { named, own: config.map_or_else(String::new, |config| config.origin()) })
}

/// Limits log lines that strangers can cause.
#[derive(Default)]
pub(crate) struct Floods(Seldom);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Mismatch {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match mismatch(request) {
            Some(mismatch) => Outcome::Success(mismatch),
            None => Outcome::Forward(Status::Forbidden),
        }
    }
}
