//! What happened to the account of the signed-in user, and everything stored about it.

use rocket::{State, get};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ApiError, Reply, not_signed_in};
use crate::auth::{Activity, Auth, Export};
use crate::web::body::Json;
use crate::web::cursor::{Cursor, NoCursor};
use crate::web::errors::Refusal;
use crate::web::guards::CurrentSession;
use crate::web::openapi::schemas;
use crate::{Timestamp, words};

/// The number of events in an answer.
const A_PAGE: u32 = 100;

/// Something that happened to the account.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
struct EventJson {
    id: Uuid,
    /// When it happened.
    #[schema(value_type = schemas::Time)]
    at: Timestamp,
    /// What happened, such as `signed-in`. A later version may have more of them.
    event: &'static str,
    /// The client IP; empty if it is not known, `::` if the operator did it.
    ip: String,
    /// What the client said that it is.
    user_agent: String,
}

impl From<Activity> for EventJson {
    fn from(Activity { id, at, event, ip, user_agent }: Activity) -> Self {
        Self { id, at, event: event.as_str(), ip, user_agent }
    }
}

/// Events, the newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Events {
    events: Vec<EventJson>,
    /// The value of `before` for the next ones; `null` if there are none.
    #[schema(value_type = Option<Cursor>, required)]
    next: Option<String>,
}

/// List what happened to the account
///
/// The newest 100 events first. `next` leads on to older ones.
#[utoipa::path(
    get,
    path = "/activity",
    operation_id = "list_activity",
    tag = "Accounts",
    security(("session" = [])),
    params(("before" = Option<Cursor>, Query, description = "`next` of the page before")),
    responses(
        (status = 200, body = Events, description = "The events"),
        (status = 400, description = "`invalid-fields`: `before` is not from here")
    )
)]
#[get("/activity?<before>")]
pub(in crate::web) async fn list(
    before: Vec<&str>,
    current: CurrentSession<'_>,
    auth: &State<Auth>,
) -> Reply<Events> {
    let session = current.0.ok_or_else(not_signed_in)?;
    // Somebody who follows a list must not begin again at its start without noticing.
    let before = before.last().map(|text| text.parse()).transpose().map_err(|NoCursor| {
        Refusal::fields(vec![("before".to_owned(), words::fields::UNEXPECTED.to_owned())])
    })?;
    let before = before.map(Cursor::into_inner);
    let found = auth.activity(session.user.id, before, A_PAGE).await?;
    let last = found.last().filter(|_| found.len() == A_PAGE as usize);
    let next = last.map(|last| Cursor::after(last.at, last.id).to_string());
    Ok(Json(Events { events: found.into_iter().map(EventJson::from).collect(), next }))
}

/// Export everything that is stored about the account
#[utoipa::path(
    get,
    path = "/export",
    operation_id = "export_account",
    tag = "Accounts",
    security(("session" = [])),
    responses((status = 200, body = Export, description = "Everything, except secrets"))
)]
#[get("/export")]
pub(in crate::web) async fn export(
    current: CurrentSession<'_>,
    auth: &State<Auth>,
) -> Result<Json<Export>, ApiError> {
    let session = current.0.ok_or_else(not_signed_in)?;
    Ok(Json(auth.export(session).await?))
}
