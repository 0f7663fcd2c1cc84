//! What was typed before the sign-in.

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use super::CurrentSession;
use crate::web::draft;

/// What was typed into the form of this page before the sign-in, if its route has
/// [kept it](crate::SignInFirst::keep_draft): a guard of the page, which gives it back once.
#[derive(Clone, Debug)]
pub struct Draft(pub Option<String>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Draft {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        CurrentSession::from_request(request).await.map(|CurrentSession(session)| {
            Self(session.and_then(|session| draft::take(request, &session.user)))
        })
    }
}
