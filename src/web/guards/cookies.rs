//! Whether the browser keeps cookies. One that does not would see the sign-in page again and again.

use rocket::Request;
use rocket::http::{CookieJar, Status};
use rocket::request::{FromRequest, Outcome};

use crate::auth::Auth;
use crate::config::Config;
use crate::urls;
use crate::web::next::Next;
use crate::web::paths::urls_of;
use crate::web::session;

/// The cookies of a page with a form to sign in or up.
pub(in crate::web) struct FormCookies<'r> {
    jar: &'r CookieJar<'r>,
    config: &'r Config,
    /// Whether the browser comes from such a page.
    comes_from_form: bool,
}

impl FormCookies<'_> {
    /// Whether the browser should have sent a cookie and has not. `is_of_page` says whether a form was sent from a
    /// page of ours, which came with one: a program that posts without it has nothing to send back.
    pub(in crate::web) fn are_lost(&self, is_of_page: bool) -> bool {
        (is_of_page || self.comes_from_form) && !session::keeps_cookies(self.jar, self.config)
    }

    /// Sets a cookie with the page, so that its form will show whether it was kept.
    pub(in crate::web) fn try_one(&self) {
        session::try_cookie(self.jar, self.config);
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for FormCookies<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let Some(auth) = request.rocket().state::<Auth>() else {
            return Outcome::Error((Status::InternalServerError, ()));
        };
        // A redirect keeps the address of the page whose form was sent. A form that was sent says itself where it is from.
        let is_form = request.method() == rocket::http::Method::Post;
        let page = if is_form {
            None
        } else {
            Next::page_before(request).map(|page| page.as_str().to_owned())
        };
        let comes_from_form = page.is_some_and(|page| {
            let path = page.split('?').next().unwrap_or_default();
            [urls::SIGN_IN, urls::SIGN_UP]
                .into_iter()
                .any(|form| urls_of(request).to(form).to_string() == path)
        });
        let (jar, config) = (request.cookies(), auth.config());
        Outcome::Success(Self { jar, config, comes_from_form })
    }
}
