//! The page of the devices on which the owner is signed in.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{State, get, post};
use uuid::Uuid;

use crate::auth::{Auth, Client, Device, EndSessionError, Refused};
use crate::web::flash::Notice;
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Answer};
use crate::web::session;
use crate::{Error, SessionInfo, urls, words};

/// A session in words.
struct Row {
    id: Uuid,
    device: String,
    ip: String,
    signed_in: String,
    last_seen: String,
    is_this: bool,
}

#[derive(Template)]
#[template(path = "sessions.html", blocks = ["title", "main"])]
struct SessionsPage<'a> {
    frame: Frame<'a>,
    sessions: Vec<Row>,
}

parts!(SessionsPage);

impl SessionsPage<'_> {
    fn has_others(&self) -> bool {
        self.sessions.iter().any(|row| !row.is_this)
    }
}

#[get("/sessions")]
pub(in crate::web) async fn show(page: Page<'_>, auth: &State<Auth>) -> Result<Answer, Error> {
    let Some(session) = page.session else {
        return Ok(Answer::Go(page.sign_in_first(urls::SESSIONS)));
    };
    let zone = &page.frame.config.time_zone;
    let row = |info: SessionInfo| Row {
        id: info.id,
        device: words::mail::device(Device::of_user_agent(&info.user_agent)),
        signed_in: words::dates::minute(info.created_at, zone),
        last_seen: words::dates::minute(info.last_seen_at, zone),
        is_this: info.id == session.id,
        ip: info.ip,
    };
    let mut sessions: Vec<Row> =
        auth.sessions_of(session.user.id).await?.into_iter().map(row).collect();
    sessions.sort_by_key(|row| !row.is_this);
    Ok(Answer::Page(pages::show(Status::Ok, &SessionsPage { frame: page.frame, sessions })))
}

#[post("/sessions/<id>/end")]
pub(in crate::web) async fn end(
    id: &str,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let sign_in_first = || Ok(Answer::Go(page.sign_in_first(urls::SESSIONS)));
    let Ok(id) = Uuid::try_parse(id) else {
        return Answer::without_form(Refused::Because(EndSessionError::NoSuchSession));
    };
    if page.session.is_some_and(|session| session.id == id) {
        session::sign_out(auth, jar, &client).await?;
        Notice::SignedOut.put(jar, auth);
        return Ok(Answer::Go(page.go_to(urls::SIGN_IN)));
    }
    // A thief with an old session must not sign the owner out.
    let Some(session) = page.recent_session(auth) else { return sign_in_first() };
    match auth.end_session(session, id, &client).await {
        Ok(device) => {
            session::write_device(jar, auth.config(), device, &client);
            Notice::DeviceSignedOut.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::SESSIONS)))
        }
        Err(Refused::Because(EndSessionError::HasEnded)) => {
            // The form was sent twice, or from a page of some minutes ago.
            Notice::DeviceNotThere.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::SESSIONS)))
        }
        Err(Refused::Because(EndSessionError::SignedOut)) => sign_in_first(),
        Err(refused) => Answer::without_form(refused),
    }
}

#[post("/sessions/end-others")]
pub(in crate::web) async fn end_others(
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let sign_in_first = || Ok(Answer::Go(page.sign_in_first(urls::SESSIONS)));
    let Some(session) = page.recent_session(auth) else { return sign_in_first() };
    match auth.end_other_sessions(session, &client).await {
        Ok(device) => {
            session::write_device(jar, auth.config(), device, &client);
            Notice::OthersSignedOut.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::SESSIONS)))
        }
        Err(Refused::Because(EndSessionError::SignedOut)) => sign_in_first(),
        Err(refused) => Answer::without_form(refused),
    }
}
