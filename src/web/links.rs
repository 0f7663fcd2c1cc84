//! Links that hold a secret, and the one that password managers look for.

use std::str::FromStr;

use askama::Template;
use rocket::http::Status;
use rocket::http::uri::Origin;
use rocket::request::{FromRequest, Outcome};
use rocket::response::Redirect;
use rocket::{Request, get, uri};

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

/// The secret of the link that was followed; `None` if it is not even of the right form.
pub(in crate::web) struct Link<T>(pub(in crate::web) Option<T>);

#[rocket::async_trait]
impl<'r, T: FromStr> FromRequest<'r> for Link<T> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let Secret(text) = request.local_cache(|| Secret(String::new()));
        Outcome::Success(Self(text.parse().ok()))
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
