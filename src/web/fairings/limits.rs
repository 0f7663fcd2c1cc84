//! Requests that nobody reads: headers that are longer than any that are needed, unknown methods.

use rocket::http::Status;
use rocket::http::uri::Origin;
use rocket::{Request, get, uri};

use crate::web::errors::Refusal;

/// Longest `Accept`, in bytes, all its lines together. Rocket 0.5.2 copies what is left of the header for
/// each of its entries: 64 KB of `a/b,` are a gigabyte, and whoever sends a few ends the process.
pub(crate) const MAX_ACCEPT: usize = 1024;

/// Where a request with such a header is led, or `None` if it may pass. The header cannot be taken away:
/// Rocket reads it before it replaces it.
pub(in crate::web) fn refuse(request: &Request<'_>) -> Option<Origin<'static>> {
    has_long_accept(request).then(|| uri!(too_long))
}

/// Whether `Accept` must not be read.
pub(in crate::web) fn has_long_accept(request: &Request<'_>) -> bool {
    request.headers().get("Accept").map(str::len).sum::<usize>() > MAX_ACCEPT
}

#[get("/-/too-long")]
pub(in crate::web) fn too_long() -> Refusal {
    let status = Status::RequestHeaderFieldsTooLarge;
    Refusal::new(status, "The request has headers that are longer than any that are needed.")
}

/// Where the server leads requests with a method that nobody knows.
pub(crate) const UNKNOWN_METHOD: &str = "/-/unknown-method";

#[get("/-/unknown-method")]
pub(in crate::web) fn unknown_method() -> Refusal {
    Refusal::new(Status::MethodNotAllowed, "This address exists, but not for what was tried.")
}

/// Where the server leads requests whose address cannot be read.
pub(crate) const UNREADABLE: &str = "/-/unreadable";

#[get("/-/unreadable")]
pub(in crate::web) fn unreadable() -> Refusal {
    Refusal::new(Status::BadRequest, "The address could not be read.")
}
