//! Links that hold a secret, and the one that password managers look for.

use askama::Template;
use rocket::http::Status;
use rocket::http::uri::Origin;
use rocket::request::{FromRequest, Outcome};
use rocket::response::Redirect;
use rocket::{Request, get, uri};

use crate::auth::{Auth, OpenedLink, Purpose};
use crate::web::errors;
use crate::web::fairings::clean_path;
use crate::web::pages::password_change;
use crate::web::pages::{self, Answer, Frame, Page};

/// Takes the secret out of the path before Rocket logs it: the route is `/<page>/link`, and the
/// handler gets the secret by the guard [`Link`].
pub(in crate::web) fn hide_secret(request: &mut Request<'_>) {
    let path = clean_path(request.uri());
    let Some((purpose, secret)) = split_path(&path) else { return };
    let secret = secret.to_owned();
    if let Ok(uri) = Origin::parse_owned(format!("/{}/link", purpose.as_str())) {
        request.local_cache(|| Some(Secret(purpose, secret)));
        request.set_uri(uri);
    }
}

/// What such a path `/<page>/<secret>` says.
pub(in crate::web) fn split_path(path: &str) -> Option<(Purpose, &str)> {
    let (page, secret) = path.strip_prefix('/')?.split_once('/')?;
    let purpose = Purpose::ALL.iter().find(|purpose| purpose.as_str() == page)?;
    Some((*purpose, secret))
}

/// What stood in the path of a mailed link.
struct Secret(Purpose, String);

/// The link that was followed; `None` if its secret is not even of the right form.
pub(in crate::web) struct Link(pub(in crate::web) Option<OpenedLink>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Link {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let secret: &Option<Secret> = request.local_cache(|| None);
        let auth: Option<&Auth> = request.rocket().state();
        let (Some(Secret(purpose, text)), Some(auth)) = (secret, auth) else {
            return Outcome::Success(Self(None));
        };
        let Ok(token) = text.parse() else { return Outcome::Success(Self(None)) };
        match auth.open_link(*purpose, token).await {
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
