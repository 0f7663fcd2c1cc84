//! What a host app answers where its route asks for a signed-in user.

use rocket::Request;
use rocket::http::{Method, Status};
use rocket::request::FromRequest;
use rocket::response::{self, Redirect, Responder};

use crate::web::accept::Wants;
use crate::web::errors::{self, Caught};
use crate::web::guards::{CurrentSession, asks_again};
use crate::web::next::Next;
use crate::web::paths::urls_of;
use crate::web::session;

/// The answer of [`sign_in_first`].
pub struct SignInFirst(Kind);

enum Kind {
    /// To the sign-in page, and back.
    Go(Box<Redirect>),
    /// What was sent is lost: a page with a link to the sign-in page.
    Lost { is_signed_in: bool, next: String },
    /// For programs.
    Program,
    /// Signed in, and still not allowed.
    Forbidden,
}

/// For a catcher of 401: leads people to the sign-in page and from there back to the page that they asked for, with
/// its query. Programs get problem+json. Somebody who is signed in gets 403, since signing in again would change
/// nothing, unless the route asks for a [`RecentLogin`](crate::RecentLogin). A form that was sent gets a page that
/// says so, since what was typed cannot be kept.
///
/// ```
/// use rocket::{Request, catch};
/// use vestibule::{SignInFirst, sign_in_first};
///
/// #[catch(401)]
/// async fn unauthorized(request: &Request<'_>) -> SignInFirst {
///     sign_in_first(request).await
/// }
/// ```
pub async fn sign_in_first(request: &Request<'_>) -> SignInFirst {
    if Wants::of(request) == Wants::Json {
        return SignInFirst(Kind::Program);
    }
    let session = CurrentSession::from_request(request).await.succeeded();
    let is_signed_in = session.is_some_and(|CurrentSession(session)| session.is_some());
    if is_signed_in && !asks_again(request) {
        return SignInFirst(Kind::Forbidden);
    }
    if matches!(request.method(), Method::Get | Method::Head) {
        let asked = request.uri().to_string();
        let next = Next::parse(&asked).map_or("", |_| &asked);
        return SignInFirst(Kind::Go(Box::new(session::sign_in_first(urls_of(request), next))));
    }
    SignInFirst(Kind::Lost { is_signed_in, next: page_of_form(request).unwrap_or_default() })
}

/// The page with the form, if the browser says that it is one of this site.
fn page_of_form(request: &Request<'_>) -> Option<String> {
    let config = request.rocket().state::<crate::auth::Auth>()?.config();
    let page = url::Url::parse(request.headers().get_one("Referer")?).ok()?;
    if !config.is_own_origin(&page.origin().ascii_serialization()) {
        return None;
    }
    let query = page.query().map_or_else(String::new, |query| format!("?{query}"));
    let page = format!("{}{query}", page.path());
    Next::parse(&page).map(|_| page)
}

impl<'r> Responder<'r, 'static> for SignInFirst {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self.0 {
            Kind::Go(redirect) => redirect.respond_to(request),
            Kind::Lost { is_signed_in, next } => errors::signed_out(request, is_signed_in, &next),
            Kind::Program => errors::not_signed_in(request),
            Kind::Forbidden => Caught(Status::Forbidden).respond_to(request),
        }
    }
}
