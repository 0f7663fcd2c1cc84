//! The followed link.

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::auth::{Auth, OpenedLink};
use crate::web::errors;
use crate::web::fairings::link_secrets;

/// The followed link; `None` if its secret is malformed.
pub(in crate::web) struct Link(pub(in crate::web) Option<OpenedLink>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Link {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let auth: Option<&Auth> = request.rocket().state();
        let (Some(secret), Some(auth)) = (link_secrets::hidden(request), auth) else {
            return Outcome::Success(Self(None));
        };
        let Ok(token) = secret.text.parse() else { return Outcome::Success(Self(None)) };
        match auth.open_link(secret.purpose, token).await {
            Ok(link) => Outcome::Success(Self(Some(link))),
            Err(error) => Outcome::Error((errors::record(request, &error), ())),
        }
    }
}
