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
        let found: &Result<Option<Arc<Session>>, Error> =
            request.local_cache_async(find_session(request)).await;
        match found {
            Ok(session) => {
                if session.is_some() {
                    session::mark_personal(request);
                }
                Outcome::Success(Self(session.as_deref()))
            }
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
