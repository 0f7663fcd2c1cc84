//! "This wasn't me": the page of the link in notices, and the one for signed-in owners.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{State, get, post};

use crate::auth::{Auth, CannotReport, Client, EndSessionError, OpenedLink, Purpose, Refused};
use crate::web::errors::Refusal;
use crate::web::flash::Notice;
use crate::web::frame::Frame;
use crate::web::guards::{Link, Page};
use crate::web::layout::parts;
use crate::web::pages::{self, Answer, dead_link};
use crate::web::session;
use crate::words::Text;
use crate::words::account::not_me;
use crate::{Error, urls};

#[derive(Template)]
#[template(path = "not_me.html", blocks = ["title", "main"])]
struct NotMePage<'a> {
    frame: Frame<'a>,
    /// Whether the link was followed; otherwise the owner is signed in.
    by_link: bool,
}

parts!(NotMePage);

impl NotMePage<'_> {
    const fn title(&self) -> Text {
        if self.by_link { not_me::TITLE } else { not_me::SIGNED_IN_TITLE }
    }
}

#[derive(Template)]
#[template(path = "not_me_done.html", blocks = ["title", "main"])]
struct DonePage<'a> {
    frame: Frame<'a>,
}

parts!(DonePage);

#[get("/not-me")]
pub(in crate::web) fn show(page: Page<'_>) -> Answer {
    if page.session.is_none() {
        return Answer::Go(page.sign_in_first(urls::NOT_ME));
    }
    Answer::Page(pages::show(Status::Ok, &NotMePage { frame: page.frame, by_link: false }))
}

/// Ends all other sessions, and leads on to a new password.
#[post("/not-me")]
pub(in crate::web) async fn submit(
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let sign_in_first = || Ok(Answer::Go(page.sign_in_first(urls::NOT_ME)));
    let Some(session) = page.recent_session(auth) else { return sign_in_first() };
    match auth.end_other_sessions(session, &client).await {
        Ok(device) => {
            session::write_device(jar, auth.config(), device, &client);
            Notice::OthersSignedOut.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::PASSWORD_CHANGE)))
        }
        Err(Refused::Because(EndSessionError::SignedOut)) => sign_in_first(),
        Err(refused) => Answer::without_form(refused),
    }
}

#[get("/not-me/link")]
pub(in crate::web) fn show_link(link: Link, page: Page<'_>) -> Answer {
    match link.0 {
        Some(OpenedLink { user: Some(_), .. }) => {
            Answer::Page(pages::show(Status::Ok, &NotMePage { frame: page.frame, by_link: true }))
        }
        Some(OpenedLink { used_by: Some(_), .. }) => {
            Answer::Page(pages::show(Status::Ok, &DonePage { frame: page.frame }))
        }
        _ => dead_link::show(&page, Purpose::NotMe),
    }
}

#[post("/not-me/link")]
pub(in crate::web) async fn submit_link(
    link: Link,
    page: Page<'_>,
    client: Client,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(link) = link.0 else { return Ok(dead_link::show(&page, Purpose::NotMe)) };
    match auth.report_not_me(&link, &client).await {
        Ok(()) => {
            // The session of this browser may be among those that have ended.
            let owner = link.user.as_ref().map(|user| user.id);
            let frame = if page.user().is_some_and(|user| Some(user.id) == owner) {
                Frame { user: None, ..page.frame }
            } else {
                page.frame
            };
            Ok(Answer::Page(pages::show(Status::Ok, &DonePage { frame })))
        }
        Err(Refused::Because(CannotReport)) => Ok(dead_link::show(&page, Purpose::NotMe)),
        Err(Refused::Wait(wait)) => Ok(Answer::Refused(Refusal::wait(wait))),
        Err(Refused::Failed(error)) => Err(error),
    }
}
