//! Responses to requests that the fairings let no handler see.

use rocket::get;
use rocket::http::Status;

use crate::web::errors::Refusal;
use crate::web::fairings::origin::Mismatch;
use crate::web::problems::Kind;
use crate::words;

#[get("/cross-site")]
pub(in crate::web) fn cross_site(mismatch: Option<Mismatch>) -> Refusal {
    let sentence = mismatch.map_or_else(
        || words::errors::CROSS_SITE.to_owned(),
        |Mismatch { named, own }| words::errors::cross_site_from(&named, &own),
    );
    Refusal::new(Status::Forbidden, sentence).of_kind(Kind::CrossSite)
}

#[get("/too-long")]
pub(in crate::web) fn too_long() -> Refusal {
    Refusal::of_status(Status::RequestHeaderFieldsTooLarge)
}

#[get("/unreadable")]
pub(in crate::web) fn unreadable() -> Refusal {
    Refusal::new(Status::BadRequest, words::errors::UNREADABLE_ADDRESS)
}
