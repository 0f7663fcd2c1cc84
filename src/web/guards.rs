//! Who asks, and what for.

use std::net::{IpAddr, Ipv4Addr};

use rocket::Request;
use rocket::http::{Accept, Status};
use rocket::request::{FromRequest, Outcome};

use super::errors;
use crate::auth::{Auth, Client, Session, cookie};
use crate::{Error, User};

/// The session of the request, looked up once.
pub(super) struct Visitor<'r>(pub(super) Option<&'r Session>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor<'r> {
    type Error = ();

    /// A database that is away is a fault (503), not a visitor without a session: pages would send
    /// people to log in who are signed in.
    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let found: &Result<Option<Session>, Error> =
            request.local_cache_async(find_session(request)).await;
        match found {
            Ok(session) => Outcome::Success(Self(session.as_ref())),
            Err(error) => Outcome::Error((errors::record(request, error), ())),
        }
    }
}

async fn find_session(request: &Request<'_>) -> Result<Option<Session>, Error> {
    let Some(auth) = request.rocket().state::<Auth>() else { return Ok(None) };
    match cookie::read(request.cookies(), auth.config()) {
        Some(token) => auth.find_session(&token).await,
        None => Ok(None),
    }
}

/// The user who is signed in; 401 if nobody is.
#[rocket::async_trait]
impl<'r> FromRequest<'r> for User {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match Visitor::from_request(request).await {
            Outcome::Success(Visitor(Some(session))) => Outcome::Success(session.user.clone()),
            Outcome::Success(Visitor(None)) => Outcome::Error((Status::Unauthorized, ())),
            Outcome::Error(error) => Outcome::Error(error),
            Outcome::Forward(status) => Outcome::Forward(status),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Client {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        // Only local test clients have no peer.
        let peer = request.remote().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip());
        let agent = request.headers().get_one("User-Agent").unwrap_or_default();
        Outcome::Success(Self::new(peer, agent))
    }
}

/// What whoever asks would rather read, on the paths that are a page for people and JSON for
/// programs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Page,
    Json,
}

impl Wants {
    /// A page where there is no `Accept`; programs send `*/*`, browsers name `text/html`.
    pub(super) fn of(request: &Request<'_>) -> Self {
        let weight = |accept: &Accept, wanted: &str| {
            let quality = |media: &rocket::http::QMediaType| media.weight().unwrap_or(1.0);
            accept
                .iter()
                .filter(|media| {
                    let (top, sub) = (media.top().as_str(), media.sub().as_str());
                    (top == "*" && sub == "*") || format!("{top}/{sub}") == wanted
                })
                // The most specific entry counts (RFC 9110, 12.5.1).
                .max_by_key(|media| u8::from(media.top() != "*"))
                .map_or(0.0, quality)
        };
        match request.accept() {
            None => Self::Page,
            Some(accept) => {
                let named = accept.iter().any(|media| media.media_type().is_html());
                let (html, json) =
                    (weight(accept, "text/html"), weight(accept, "application/json"));
                if html > json || (html == json && named && html > 0.0) {
                    Self::Page
                } else {
                    Self::Json
                }
            }
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Wants {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}
