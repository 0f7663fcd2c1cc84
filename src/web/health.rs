//! For whoever watches the service.

use rocket::http::Status;
use rocket::{State, get};

use crate::auth::Auth;

/// The process answers. Says nothing of the database: a restart would not mend that.
#[get("/health/live")]
pub(super) fn live() -> &'static str {
    "ok\n"
}

/// The service can do its work: the database can be written.
#[get("/health/ready")]
pub(super) async fn ready(auth: &State<Auth>) -> (Status, &'static str) {
    if auth.is_ready().await {
        (Status::Ok, "ok\n")
    } else {
        (Status::ServiceUnavailable, "the database cannot be written\n")
    }
}
