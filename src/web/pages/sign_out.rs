//! The page with the button to sign out, for those who follow a link or type the address, and the button itself.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{State, get, post};

use crate::Error;
use crate::auth::{Auth, Client};
use crate::web::flash::Notice;
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Shown};
use crate::web::session;

#[derive(Template)]
#[template(path = "sign_out.html", blocks = ["title", "main"])]
struct SignOutPage<'a> {
    frame: Frame<'a>,
}

parts!(SignOutPage);

/// Changes nothing: links are followed by programs too, and a link on another site must not sign anybody out.
#[get("/logout")]
pub(in crate::web) fn show(page: Page<'_>) -> Shown {
    pages::show(Status::Ok, &SignOutPage { frame: page.frame })
}

#[post("/logout")]
pub(in crate::web) async fn submit(
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Redirect, Error> {
    session::sign_out(auth, jar, &client).await?;
    Notice::SignedOut.put(jar, auth);
    Ok(Redirect::to(auth.config().home.as_str().to_owned()))
}
