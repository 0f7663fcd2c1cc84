//! The page about the data of an account, and the file with all of it.

use askama::Template;
use rocket::http::{Header, Status};
use rocket::{Responder, State, get};

use crate::auth::{Auth, Export};
use crate::web::body::Json;
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Answer};
use crate::{Error, urls};

#[derive(Template)]
#[template(path = "your_data.html", blocks = ["title", "main"])]
struct DataPage<'a> {
    frame: Frame<'a>,
}

parts!(DataPage);

#[get("/your-data")]
pub(in crate::web) fn show(page: Page<'_>) -> Answer {
    if page.session.is_none() {
        return Answer::Go(page.sign_in_first(urls::YOUR_DATA));
    }
    Answer::Page(pages::show(Status::Ok, &DataPage { frame: page.frame }))
}

/// A file, or a page.
#[derive(Responder)]
pub(in crate::web) enum Download {
    File(Json<Export>, Header<'static>),
    Answer(Answer),
}

#[get("/export")]
pub(in crate::web) async fn export(page: Page<'_>, auth: &State<Auth>) -> Result<Download, Error> {
    let Some(session) = page.session else {
        return Ok(Download::Answer(Answer::Go(page.sign_in_first(urls::YOUR_DATA))));
    };
    let export = auth.export(session).await?;
    let name = Header::new("Content-Disposition", "attachment; filename=\"account.json\"");
    Ok(Download::File(Json(export), name))
}
