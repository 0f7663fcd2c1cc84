//! The sessions of the signed-in user.

use rocket::http::CookieJar;
use rocket::{State, delete, get};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Reply, Success, not_signed_in, recent};
use crate::auth::{Auth, Client, EndSessionError, Refused};
use crate::web::body::Json;
use crate::web::guards::CurrentSession;
use crate::web::openapi::schemas;
use crate::web::session;
use crate::{SessionInfo, Timestamp, words};

/// A device that is signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionJson {
    id: Uuid,
    /// When the user signed in.
    #[schema(value_type = schemas::Time)]
    created_at: Timestamp,
    /// When it was last used.
    #[schema(value_type = schemas::Time)]
    last_seen_at: Timestamp,
    /// The client IP; empty if it is not known.
    ip: String,
    /// What the client said that it is.
    user_agent: String,
    /// Whether it is the one of this request.
    is_current: bool,
}

/// The sessions, the last used first.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Sessions {
    sessions: Vec<SessionJson>,
}

/// List the devices that are signed in
///
/// The last used first.
#[utoipa::path(
    get,
    path = "/sessions",
    operation_id = "list_sessions",
    tag = "Session",
    security(("session" = [])),
    responses((status = 200, body = Sessions, description = "The sessions"))
)]
#[get("/sessions")]
pub(in crate::web) async fn list(
    current: CurrentSession<'_>,
    auth: &State<Auth>,
) -> Reply<Sessions> {
    let session = current.0.ok_or_else(not_signed_in)?;
    let json = |info: SessionInfo| SessionJson {
        is_current: info.id == session.id,
        id: info.id,
        created_at: info.created_at,
        last_seen_at: info.last_seen_at,
        ip: info.ip,
        user_agent: info.user_agent,
    };
    let sessions = auth.sessions_of(session.user.id).await?.into_iter().map(json).collect();
    Ok(Json(Sessions { sessions }))
}

/// Sign a device out
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    operation_id = "end_session",
    tag = "Session",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The ID of the session")),
    responses(
        (status = 200, body = Success, description = "The session has ended"),
        (status = 401, description = "`not-signed-in`, `login-too-old` unless it is the session of this request"),
        (status = 404, description = "`no-such-session`: also one that has ended, or was renewed under another ID")
    )
)]
#[delete("/sessions/<id>")]
pub(in crate::web) async fn end(
    id: &str,
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<Success> {
    let session = current.0.ok_or_else(not_signed_in)?;
    let id = Uuid::try_parse(id).map_err(|_| Refused::Because(EndSessionError::NoSuchSession))?;
    if id == session.id {
        session::sign_out(auth, jar, &client).await?;
    } else {
        let device = auth.end_session(recent(&current, auth)?, id, &client).await?;
        session::write_device(jar, auth.config(), device, &client);
    }
    Ok(Json(Success::new(words::api::SIGNED_OUT)))
}

/// Sign out all other devices
///
/// The sign-in must be recent.
#[utoipa::path(
    delete,
    path = "/sessions",
    operation_id = "end_other_sessions",
    tag = "Session",
    security(("session" = [])),
    responses(
        (status = 200, body = Success, description = "All sessions but this one have ended"),
        (status = 401, description = "`not-signed-in`, `login-too-old`")
    )
)]
#[delete("/sessions")]
pub(in crate::web) async fn end_others(
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<Success> {
    let session = recent(&current, auth)?;
    let device = auth.end_other_sessions(session, &client).await?;
    session::write_device(jar, auth.config(), device, &client);
    Ok(Json(Success::new(words::api::SIGNED_OUT)))
}
