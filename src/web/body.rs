//! The bodies of responses. Rocket's own responders first build a plain-text response, and then another one around
//! it.

use std::io::Cursor;

use rocket::http::{ContentType, Status};
use rocket::response::Responder;
use rocket::serde::Serialize;
use rocket::serde::json::serde_json;
use rocket::{Request, Response};

/// A page.
pub(in crate::web) struct Html(pub(in crate::web) String);

/// A value in JSON.
pub(in crate::web) struct Json<T>(pub(in crate::web) T);

impl<'r> Responder<'r, 'static> for Html {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'static> {
        Ok(of(ContentType::HTML, self.0.into_bytes()))
    }
}

impl<'r, T: Serialize> Responder<'r, 'static> for Json<T> {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'static> {
        // Enough for nearly all values.
        let mut text = Vec::with_capacity(512);
        serde_json::to_writer(&mut text, &self.0).map_err(|_| Status::InternalServerError)?;
        Ok(of(ContentType::JSON, text))
    }
}

fn of(kind: ContentType, text: Vec<u8>) -> Response<'static> {
    Response::build().header(kind).sized_body(text.len(), Cursor::new(text)).finalize()
}
