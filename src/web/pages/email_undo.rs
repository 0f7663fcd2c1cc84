//! The page that puts an address back which somebody else has changed.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{State, get, post};

use crate::auth::{Auth, CannotUndo, Client, OpenedLink, Purpose, Refused};
use crate::web::flash::Notice;
use crate::web::frame::Frame;
use crate::web::guards::{Link, Page};
use crate::web::layout::parts;
use crate::web::pages::{self, Answer, dead_link};
use crate::web::session;
use crate::{Email, Error, urls};

#[derive(Template)]
#[template(path = "email_undo.html", blocks = ["title", "main"])]
struct UndoPage<'a> {
    frame: Frame<'a>,
    email: &'a Email,
}

parts!(UndoPage);

#[get("/email-undo/link")]
pub(in crate::web) fn show_link(link: Link, page: Page<'_>) -> Answer {
    match link.0 {
        Some(OpenedLink { user: Some(_), email: Some(email), .. }) => {
            Answer::Page(pages::show(Status::Ok, &UndoPage { frame: page.frame, email: &email }))
        }
        _ => dead_link::show(&page, Purpose::EmailUndo),
    }
}

/// Leads straight to the page to choose a new password.
#[post("/email-undo/link")]
pub(in crate::web) async fn submit_link(
    link: Link,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(link) = link.0 else { return Ok(dead_link::show(&page, Purpose::EmailUndo)) };
    match auth.undo_email_change(&link, &client).await {
        Ok(token) => {
            // All sessions of the account have ended; this browser's may be another account's.
            session::sign_out(auth, jar, &client).await?;
            let reset = page.frame.urls.link(urls::PASSWORD_RESET, &token.in_link());
            Ok(Answer::Go(Redirect::to(reset)))
        }
        Err(Refused::Because(CannotUndo::JustDone)) => {
            // Pressed twice: the password is chosen by a link, as if it were forgotten.
            Notice::EmailUndone.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::PASSWORD_RESET)))
        }
        Err(Refused::Because(CannotUndo::DeadLink)) => {
            Ok(dead_link::show(&page, Purpose::EmailUndo))
        }
        Err(Refused::Wait(wait)) => Ok(Answer::Refused(crate::web::errors::Refusal::wait(wait))),
        Err(Refused::Failed(error)) => Err(error),
    }
}
