//! What happened to the account of the signed-in user, and everything stored about it.

use rocket::{State, get};
use serde::Serialize;
use uuid::Uuid;

use super::{ApiError, Reply, not_signed_in};
use crate::auth::{Activity, Auth, Export};
use crate::web::body::Json;
use crate::web::cursor::Cursor;
use crate::web::guards::CurrentSession;

/// The number of events in an answer.
const A_PAGE: u32 = 100;

/// An event in JSON.
#[derive(Serialize)]
struct EventJson {
    id: Uuid,
    at: String,
    event: &'static str,
    ip: String,
    user_agent: String,
}

impl From<Activity> for EventJson {
    fn from(Activity { id, at, event, ip, user_agent }: Activity) -> Self {
        Self { id, at: at.rfc3339(), event: event.as_str(), ip, user_agent }
    }
}

/// Events, the newest first.
#[derive(Serialize)]
pub(in crate::web) struct Events {
    events: Vec<EventJson>,
    /// The value of `before` for the next ones; `null` if there are none.
    next: Option<String>,
}

#[get("/activity?<before>")]
pub(in crate::web) async fn list(
    before: Option<Cursor>,
    current: CurrentSession<'_>,
    auth: &State<Auth>,
) -> Reply<Events> {
    let session = current.0.ok_or_else(not_signed_in)?;
    let before = before.map(Cursor::into_inner);
    let found = auth.activity(session.user.id, before, A_PAGE).await?;
    let last = found.last().filter(|_| found.len() == A_PAGE as usize);
    let next = last.map(|last| Cursor::after(last.at, last.id).to_string());
    Ok(Json(Events { events: found.into_iter().map(EventJson::from).collect(), next }))
}

#[get("/export")]
pub(in crate::web) async fn export(
    current: CurrentSession<'_>,
    auth: &State<Auth>,
) -> Result<Json<Export>, ApiError> {
    let session = current.0.ok_or_else(not_signed_in)?;
    Ok(Json(auth.export(session).await?))
}
