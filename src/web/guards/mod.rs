//! Who is signed in, and what they would rather read.

pub(in crate::web) mod client;
mod recent_login;

use std::sync::Arc;

use rocket::Request;
use rocket::http::{Accept, MediaType, QMediaType, Status};
use rocket::request::{FromRequest, Outcome};

use crate::auth::{Auth, Session, cookie};
use crate::config::{Cookies, is_loopback_host};
use crate::web::errors;
use crate::web::fairings::limits;
use crate::web::fairings::origin;
use crate::web::guards::client::came_by_proxy;
use crate::{Error, User};

pub use recent_login::RecentLogin;

/// The session of the request, looked up once.
pub(in crate::web) struct Visitor<'r>(pub(in crate::web) Option<&'r Session>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor<'r> {
    type Error = ();

    /// A database that is away is a fault (503), not a visitor without a session: pages would send
    /// people to log in who are signed in.
    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let found: &Result<Option<Arc<Session>>, Error> =
            request.local_cache_async(find_session(request)).await;
        match found {
            Ok(session) => Outcome::Success(Self(session.as_deref())),
            Err(error) => Outcome::Error((errors::record(request, error), ())),
        }
    }
}

async fn find_session(request: &Request<'_>) -> Result<Option<Arc<Session>>, Error> {
    let Some(auth) = request.rocket().state::<Auth>() else { return Ok(None) };
    if cookie::is_feigned(request, Cookies::Session, auth.config()) {
        return Ok(None);
    }
    match cookie::read(request.cookies(), auth.config()) {
        Some(token) => auth.find_session(&token).await,
        None => Ok(None),
    }
}

/// The user who is signed in; 401 if nobody is. And 403 if another website made the browser ask for
/// something that may change anything: a host's routes are as worth protecting as ours.
#[rocket::async_trait]
impl<'r> FromRequest<'r> for User {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let config = request.rocket().state::<Auth>().map(Auth::config);
        let lets_in = config.is_some_and(|config| config.allow_cross_site);
        if !lets_in && origin::is_foreign(request) {
            return Outcome::Error((Status::Forbidden, ()));
        }
        match Visitor::from_request(request).await {
            Outcome::Success(Visitor(Some(session))) => Outcome::Success(session.user.clone()),
            Outcome::Success(Visitor(None)) => Outcome::Error((Status::Unauthorized, ())),
            Outcome::Error(error) => Outcome::Error(error),
            Outcome::Forward(status) => Outcome::Forward(status),
        }
    }
}

/// What whoever asks would rather read, on the paths that are a page for people and JSON for
/// programs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Wants {
    Page,
    Json,
}

impl Wants {
    /// A page where there is no `Accept`; programs send `*/*`, browsers name `text/html`.
    pub(in crate::web) fn of(request: &Request<'_>) -> Self {
        if limits::has_long_accept(request) {
            return Self::Page;
        }
        let Some(accept) = request.accept() else { return Self::Page };
        let (html, json) = (weight(accept, &MediaType::HTML), weight(accept, &MediaType::JSON));
        let names_html = accept.iter().any(|media| media.is_html());
        if html > json || (html == json && names_html && html > 0) {
            Self::Page
        } else {
            Self::Json
        }
    }
}

/// How much a kind of answer is wanted, in thousandths: the most specific entry that matches it counts
/// (RFC 9110, 12.5.1).
fn weight(accept: &Accept, wanted: &MediaType) -> u32 {
    let matches = |media: &&QMediaType| media.top() == "*" || media.media_type() == wanted;
    let best = accept.iter().filter(matches).max_by_key(|media| media.top() != "*");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,000")]
    best.map_or(0, |media| (media.weight().unwrap_or(1.0).clamp(0.0, 1.0) * 1000.0) as u32)
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Wants {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}

/// Where the browser believes that it is, by the `Host` header. Somebody else's name may point to this
/// machine (DNS rebinding), and a proxy on it may put its own name there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum HostPlace {
    /// This machine, or not said.
    Loopback,
    Elsewhere,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for HostPlace {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let mut hosts = request.headers().get("Host");
        let is_loopback = |host: &str| {
            let name = match host.rsplit_once(':') {
                Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
                _ => host,
            };
            is_loopback_host(name)
        };
        let is_here = hosts.all(is_loopback) && !came_by_proxy(request);
        Outcome::Success(if is_here { Self::Loopback } else { Self::Elsewhere })
    }
}
