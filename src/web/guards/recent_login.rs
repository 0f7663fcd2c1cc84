//! A recently signed-in user.

use rocket::Request;
use rocket::http::Status;
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome};

use crate::User;
use crate::auth::Auth;
use crate::web::guards::Visitor;

/// The signed-in user, who has given the password within the last ten minutes: for security-critical
/// actions, since somebody else may use a browser that was left open (ASVS 7.5.1). 401 otherwise; 403 as for
/// [`User`].
pub struct RecentLogin {
    /// The user.
    pub user: User,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for RecentLogin {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let user = try_outcome!(User::from_request(request).await);
        let Visitor(session) = try_outcome!(Visitor::from_request(request).await);
        let auth = request.rocket().state::<Auth>();
        let is_recent = auth.zip(session).is_some_and(|(auth, session)| auth.is_recent(session));
        if is_recent {
            Outcome::Success(Self { user })
        } else {
            Outcome::Error((Status::Unauthorized, ()))
        }
    }
}
