//! The sessions of the signed-in user.

use rocket::http::CookieJar;
use rocket::{State, delete, get};
use serde::Serialize;
use uuid::Uuid;

use super::{Reply, Success, not_signed_in, recent};
use crate::auth::{Auth, Client, EndSessionError, Refused};
use crate::web::body::Json;
use crate::web::guards::CurrentSession;
use crate::web::session;
use crate::{SessionInfo, words};

/// A session in JSON.
#[derive(Serialize)]
struct SessionJson {
    id: Uuid,
    created_at: String,
    last_seen_at: String,
    ip: String,
    user_agent: String,
    /// Whether it is the one of this request.
    is_current: bool,
}

/// The sessions, the last used first.
#[derive(Serialize)]
pub(in crate::web) struct Sessions {
    sessions: Vec<SessionJson>,
}

#[get("/sessions")]
pub(in crate::web) async fn list(
    current: CurrentSession<'_>,
    auth: &State<Auth>,
) -> Reply<Sessions> {
    let session = current.0.ok_or_else(not_signed_in)?;
    let json = |info: SessionInfo| SessionJson {
        is_current: info.id == session.id,
        id: info.id,
        created_at: info.created_at.rfc3339(),
        last_seen_at: info.last_seen_at.rfc3339(),
        ip: info.ip,
        user_agent: info.user_agent,
    };
    let sessions = auth.sessions_of(session.user.id).await?.into_iter().map(json).collect();
    Ok(Json(Sessions { sessions }))
}

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

/// Ends all sessions but this one.
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
