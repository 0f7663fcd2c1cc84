//! The front page.

use askama::Template;
use rocket::http::Status;
use rocket::serde::json::{Value, json};
use rocket::{Responder, get};

use crate::web::accept::Wants;
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::openapi::Message;
use crate::web::pages::{self, ByAccept, Shown};
use crate::words;

#[derive(Template)]
#[template(path = "home.html", blocks = ["title", "main"])]
struct Home<'a> {
    frame: Frame<'a>,
}

parts!(Home);

#[derive(Responder)]
pub(in crate::web) enum Either {
    Page(Shown),
    Json(Value),
}

/// Greet
#[utoipa::path(
    get,
    path = "/",
    operation_id = "older_greet",
    tag = "Older clients",
    responses((status = 200, body = Message, description = "A greeting; a page for those who prefer HTML"))
)]
#[get("/")]
pub(in crate::web) fn show(page: Page<'_>, wants: Wants) -> ByAccept<Either> {
    ByAccept::new(match wants {
        Wants::Page => Either::Page(pages::show(Status::Ok, &Home { frame: page.frame })),
        Wants::Json => Either::Json(json!({ "message": words::api::WELCOME })),
    })
}
