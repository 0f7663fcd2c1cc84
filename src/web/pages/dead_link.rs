//! The page for a link that was used, has expired, or never existed.

use askama::Template;
use rocket::http::Status;

use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Answer};

#[derive(Template)]
#[template(path = "dead_link.html", blocks = ["title", "main"])]
struct DeadLinkPage<'a> {
    frame: Frame<'a>,
    /// Whether it was a password-reset link.
    is_reset: bool,
}

parts!(DeadLinkPage);

pub(in crate::web) fn show(page: &Page<'_>, is_reset: bool) -> Answer {
    Answer::Page(pages::show(Status::NotFound, &DeadLinkPage { frame: page.frame, is_reset }))
}
