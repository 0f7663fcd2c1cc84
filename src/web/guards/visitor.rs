//! The signed-in user.

use std::sync::Arc;

use rocket::Request;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};

use crate::auth::{Auth, Session};
use crate::config::Cookies;
use crate::web::fairings::origin;
use crate::web::{errors, session};
use crate::{Error, User};

/// The session of the request, looked up once.
pub(in crate::web) struct Visitor<'r>(pub(in crate::web) Option<&'r Session>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor<'r> {
    type Error = ();

    /// If the database is down, this is an error (503) and not a visitor without a session: pages would ask
    /// signed-in users to sign in.
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
    let jar = request.cookies();
    let Some(sealed) = jar.get(auth.config().cookie_name(Cookies::Session)) else {
        return Ok(None);
    };
    if session::is_forged(request, Cookies::Session, auth.config()) {
        return Ok(None);
    }
    auth.find_session(sealed.value(), || session::read(jar, auth.config())).await
}

/// The signed-in user; 401 if there is none. 403 if another website made the browser send a request that may change
/// something: a host's routes deserve the same protection as ours.
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
