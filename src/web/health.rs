//! For whoever watches the service.

use rocket::http::Status;
use rocket::serde::Serialize;
use rocket::serde::json::Json;
use rocket::{State, get};

use crate::auth::{Auth, Health};

/// The process answers. Says nothing of the database: a restart would not mend that.
#[get("/health/live")]
pub(super) fn live() -> &'static str {
    "ok\n"
}

/// What is to be seen from outside; lengths of time in seconds, `null` where nobody knows.
#[derive(Serialize)]
#[serde(crate = "rocket::serde")]
pub(super) struct Signals {
    status: &'static str,
    letters_waiting: Option<i64>,
    oldest_letter_seconds: Option<u64>,
    last_sweep_seconds: Option<u64>,
    postman_moved_seconds: Option<u64>,
    connections_in_use: usize,
    connections: u32,
}

/// The service can do its work: the database can be written, and the end is not near.
#[get("/health/ready")]
pub(super) async fn ready(auth: &State<Auth>) -> (Status, Json<Signals>) {
    let health: Health = auth.health().await;
    let (code, status) = match health {
        Health { can_write: false, .. } => {
            (Status::ServiceUnavailable, "the database cannot be written")
        }
        Health { is_leaving: true, .. } => (Status::ServiceUnavailable, "about to end"),
        _ => (Status::Ok, "ok"),
    };
    let signals = Signals {
        status,
        letters_waiting: health.letters_waiting,
        oldest_letter_seconds: health.oldest_letter.map(|age| age.as_secs()),
        last_sweep_seconds: health.last_sweep.map(|age| age.as_secs()),
        postman_moved_seconds: health.postman_moved.map(|age| age.as_secs()),
        connections_in_use: health.connections_in_use,
        connections: health.connections,
    };
    (code, Json(signals))
}
