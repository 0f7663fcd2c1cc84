//! Links that hold a secret, and the one that password managers look for.

use std::str::FromStr;

use askama::Template;
use rocket::http::Status;
use rocket::http::uri::Origin;
use rocket::request::{FromRequest, Outcome};
use rocket::response::Redirect;
use rocket::{Request, get, uri};

use crate::Error;
use crate::auth::{Auth, OpenedLink, ResetToken, VerifyToken};
use crate::web::errors;
use crate::web::fairings::clean_path;
use crate::web::pages::password_change;
use crate::web::pages::{self, Answer, Frame, Page};

/// Pages that are reached by a mailed link, `/<page>/<secret>`.
pub(in crate::web) const LINKED: [&str; 2] = ["/password-reset/", "/verify-email/"];

/// Takes the secret out of the path before Rocket logs it: the route is `/<page>/link`, and the
/// handler gets the secret by the guard [`Link`].
pub(in crate::web) fn hide_secret(request: &mut Request<'_>) {
    let path = clean_path(request.uri());
    let Some(page) = LINKED.into_iter().find(|page| path.starts_with(page)) else { return };
    let secret = path[page.len()..].to_owned();
    if let Ok(uri) = Origin::parse_owned(format!("{page}link")) {
        request.local_cache(|| Secret(secret));
        request.set_uri(uri);
    }
}

struct Secret(String);

/// The secret of a mailed link.
#[rocket::async_trait]
pub(in crate::web) trait LinkToken: FromStr + Send {
    /// Finds out whose it is.
    async fn open(self, auth: &Auth) -> Result<OpenedLink<Self>, Error>;
}

#[rocket::async_trait]
impl LinkToken for ResetToken {
    async fn open(self, auth: &Auth) -> Result<OpenedLink<Self>, Error> {
        auth.open_reset_link(self).await
    }
}

#[rocket::async_trait]
impl LinkToken for VerifyToken {
    async fn open(self, auth: &Auth) -> Result<OpenedLink<Self>, Error> {
        auth.open_verify_link(self).await
    }
}

/// The link that was followed; `None` if its secret is not even of the right form.
pub(in crate::web) struct Link<T>(pub(in crate::web) Option<OpenedLink<T>>);

#[rocket::async_trait]
impl<'r, T: LinkToken> FromRequest<'r> for Link<T> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let Secret(text) = request.local_cache(|| Secret(String::new()));
        let auth: Option<&Auth> = request.rocket().state();
        let (Ok(token), Some(auth)) = (text.parse::<T>(), auth) else {
            return Outcome::Success(Self(None));
        };
        match token.open(auth).await {
            Ok(link) => Outcome::Success(Self(Some(link))),
            Err(error) => Outcome::Error((errors::record(request, &error), ())),
        }
    }
}

#[derive(Template)]
#[template(path = "dead_link.html")]
struct DeadLinkPage<'a> {
    frame: Frame<'a>,
    /// Whether the link was one to reset a password.
    is_reset: bool,
}

/// The page about a link that was used, is too old, or never was one.
pub(in crate::web) fn dead(page: &Page<'_>, is_reset: bool) -> Answer {
    Answer::Page(pages::show(Status::NotFound, &DeadLinkPage { frame: page.frame, is_reset }))
}

/// Where a password manager finds the form to change a password (W3C, "A Well-Known URL for
/// Changing Passwords").
#[get("/.well-known/change-password")]
pub(in crate::web) fn change_password() -> Redirect {
    Redirect::to(uri!(password_change::show))
}
