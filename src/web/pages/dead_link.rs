//! The page about a link that was used, is too old, or never was one.

use askama::Template;
use rocket::http::Status;

use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::pages::{self, Answer};

#[derive(Template)]
#[template(path = "dead_link.html")]
struct DeadLinkPage<'a> {
    frame: Frame<'a>,
    /// Whether the link was one to reset a password.
    is_reset: bool,
}

pub(in crate::web) fn show(page: &Page<'_>, is_reset: bool) -> Answer {
    Answer::Page(pages::show(Status::NotFound, &DeadLinkPage { frame: page.frame, is_reset }))
}
