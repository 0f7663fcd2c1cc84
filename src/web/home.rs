//! The front page.

use askama::Template;
use rocket::http::Status;
use rocket::serde::json::{Value, json};
use rocket::{Responder, get};

use super::guards::Wants;
use super::page::{self, ByAccept, Frame, Page, Shown};

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    frame: Frame<'a>,
}

#[derive(Responder)]
pub(super) enum Either {
    Page(Shown),
    Json(Value),
}

#[get("/")]
pub(super) fn show(page: Page<'_>, wants: Wants) -> ByAccept<Either> {
    ByAccept::new(match wants {
        Wants::Page => Either::Page(page::show(Status::Ok, &Home { frame: page.frame })),
        Wants::Json => Either::Json(json!({ "message": "Bienvenue" })),
    })
}
