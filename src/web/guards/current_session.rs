//! The session of the request.

use std::sync::Arc;

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::Error;
use crate::auth::{Auth, Session};
use crate::config::Cookies;
use crate::web::{errors, session};

/// The session of the request, looked up once.
pub(in crate::web) struct CurrentSession<'r>(pub(in crate::web) Option<&'r Session>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CurrentSession<'r> {
    type Error = ();

    /// If the database is down, this is an error (503) and not a visitor without a session: pages would ask
    /// signed-in users to sign in.
    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match look_up(request).await {
            Ok(session) => Outcome::Success(Self(session.as_deref())),
            Err(error) => Outcome::Error((errors::record(request, error), ())),
        }
    }
}

/// Looks the session up, once per request.
pub(in crate::web) async fn look_up<'r>(
    request: &'r Request<'_>,
) -> &'r Result<Option<Arc<Session>>, Error> {
    let found = request.local_cache_async(find_session(request)).await;
    if let Ok(session) = found {
        session::note(request, session.as_ref());
    }
    found
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
