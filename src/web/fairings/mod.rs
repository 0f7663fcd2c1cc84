//! What every request passes before a handler sees it, and every answer before it leaves.

pub(in crate::web) mod headers;
pub(in crate::web) mod limits;
pub(in crate::web) mod origin;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::http::uri::Origin;
use rocket::{Data, Request, Response};

use crate::auth::{Auth, InFlight};
use crate::web::links;

/// Managed when every path of the Rocket is ours, and not only those of [`routes()`](crate::web::routes()).
pub(crate) struct WholeService;

/// What every request passes before a handler sees it, and every answer before it leaves.
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
        // For every path: whatever reads the header next, in this app or in Rocket, would not survive it.
        if let Some(refusal) = limits::refuse(request) {
            request.set_method(Method::Get);
            request.set_uri(refusal);
            return;
        }
        if !is_ours(request) {
            return;
        }
        // Rocket lets the form field `_method` make a HEAD of a POST; the client of a POST waits for a
        // body.
        if request.method() == Method::Head && request.content_type().is_some_and(|t| t.is_form()) {
            request.set_method(Method::Get);
        }
        if let Some(refusal) = origin::refuse(request) {
            request.set_method(Method::Get);
            request.set_uri(refusal);
        } else {
            trim_slash(request);
            links::hide_secret(request);
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if is_ours(request) {
            headers::set(request, response);
            headers::order_cookies(request, response);
        }
    }
}

/// The path as it was asked for, before any of it was rewritten. May hold a secret.
struct AskedPath(String);

/// The path that the client asked for, as [`clean_path`] has it.
pub(in crate::web) fn asked_path<'r>(request: &'r Request<'_>) -> &'r str {
    &request.local_cache(|| AskedPath(clean_path(request.uri()))).0
}

/// The path as the router sees it, and as a browser would: decoded, without empty segments, `.` and
/// `..`. Whoever decides by a path must not be fooled by another spelling of it.
pub(in crate::web) fn clean_path(uri: &Origin<'_>) -> String {
    let path = uri.path().as_str();
    // Nearly every path is clean as it is.
    let is_odd = |two: &[u8]| two[0] == b'%' || (two[0] == b'/' && matches!(two[1], b'/' | b'.'));
    if !path.as_bytes().windows(2).any(is_odd) {
        return path.to_owned();
    }
    let mut segments: Vec<String> = Vec::new();
    for raw in uri.path().raw_segments() {
        // What is not UTF-8 is nothing of ours, and stays as it is.
        match raw.url_decode().as_deref().unwrap_or(raw.as_str()) {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    format!("/{}", segments.join("/"))
}

/// What all routes of a guest lie under.
pub(in crate::web) const OWN: [&str; 14] = [
    "-",
    "static/style.css",
    "static/theme.css",
    "static/favicon.svg",
    "signup",
    "login",
    "logout",
    "profile",
    "password-change",
    "password-reset",
    "verify-email",
    "health",
    ".well-known/change-password",
    "api/v1",
];

/// Whether the path is one of ours, be there a route or not.
fn is_ours(request: &Request<'_>) -> bool {
    if request.rocket().state::<WholeService>().is_some() {
        return true;
    }
    is_own_path(asked_path(request))
}

pub(in crate::web) fn is_own_path(path: &str) -> bool {
    OWN.into_iter().any(|own| {
        path[1..].strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// `/users/` is `/users`: several of the older servers took both.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_disguise_is_known() {
        for (path, clean) in [
            ("/", "/"),
            ("/login", "/login"),
            ("/%6Cogin", "/login"),
            ("//login/", "/login"),
            ("/login/", "/login/"),
            ("/./a/../login", "/login"),
            ("/%2e%2e/login", "/login"),
            ("/password%2Dreset/x", "/password-reset/x"),
        ] {
            assert_eq!(clean_path(&Origin::parse(path).unwrap()), clean, "{path}");
        }
    }
}
