//! The page about signing in: the address and the password.

use askama::Template;
use rocket::get;
use rocket::http::Status;

use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Answer};
use crate::{User, urls};

#[derive(Template)]
#[template(path = "security.html", blocks = ["title", "main"])]
struct SecurityPage<'a> {
    frame: Frame<'a>,
    user: &'a User,
}

parts!(SecurityPage);

#[get("/security")]
pub(in crate::web) fn show(page: Page<'_>) -> Answer {
    match page.user() {
        Some(user) => {
            Answer::Page(pages::show(Status::Ok, &SecurityPage { frame: page.frame, user }))
        }
        None => Answer::Go(page.sign_in_first(urls::SECURITY)),
    }
}
