//! What every request passes before its handler, and every response before it is sent.

pub(in crate::web) mod headers;
pub(in crate::web) mod link_secrets;
pub(in crate::web) mod origin;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::http::uri::Origin;
use rocket::{Data, Request, Response};

use crate::auth::{Auth, InFlight};
use crate::urls;
use crate::web::accept;
use crate::web::paths::{asked_path, is_ours, urls_of};
use crate::web::session;

/// The fairing that every request and response passes.
pub(crate) fn fairing() -> impl Fairing {
    Entrance
}

struct Entrance;

#[rocket::async_trait]
impl Fairing for Entrance {
    fn info(&self) -> Info {
        Info { name: "Vestibule: checks and headers", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        let auth: Option<&Auth> = request.rocket().state();
        if let Some(auth) = auth {
            request.local_cache::<InFlight, _>(|| auth.enter());
        }
        asked_path(request);
        // On every path: whatever parses the header next, in this app or in Rocket, could bring down the process.
        if accept::is_too_long(request) {
            return lead_to(urls::TOO_LONG, request);
        }
        if !is_ours(request) {
            return;
        }
        // Rocket lets the form field `_method` turn a POST into a HEAD, but the client of a POST waits for a body.
        if request.method() == Method::Head && request.content_type().is_some_and(|t| t.is_form()) {
            request.set_method(Method::Get);
        }
        if origin::refuses(request) {
            return lead_to(urls::CROSS_SITE, request);
        }
        trim_slash(request);
        link_secrets::hide(request);
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if is_ours(request) {
            headers::set(request, response);
            headers::order_cookies(request, response);
        } else if session::found(request).is_some() {
            // After signing out, Back must not show a host's page for somebody.
            headers::keep_out_of_caches(response);
        }
    }
}

/// Routes the request to another path. `Accept` cannot be removed instead: Rocket parses a header before it
/// replaces it.
fn lead_to(path: &str, request: &mut Request<'_>) {
    let path = urls_of(request).refusal(path);
    request.set_method(Method::Get);
    request.set_uri(Origin::parse_owned(path).expect("a path of ours can be read"));
}

/// Treats `/users/` as `/users`: several of the older servers accepted both.
fn trim_slash(request: &mut Request<'_>) {
    let path = request.uri().path().as_str();
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() || trimmed.len() == path.len() {
        return;
    }
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    if let Ok(uri) = Origin::parse_owned(format!("{trimmed}{query}")) {
        request.set_uri(uri);
    }
}
