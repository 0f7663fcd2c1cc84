//! The pages to delete an account, and to restore it.

use std::time::Duration;

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};
use utoipa::ToSchema;

use crate::auth::{
    Auth, CannotRestore, Client, Deletion, DeletionError, OpenedLink, Purpose, Refused,
};
use crate::web::errors::Refusal;
use crate::web::flash::Notice;
use crate::web::forms::{Attempt, Fields, FormState, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::{Link, Page};
use crate::web::layout::parts;
use crate::web::pages::{self, Answer, Shown, dead_link};
use crate::web::session;
use crate::{Error, User, urls, words};

/// The password again.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct DeletionForm {
    pub(in crate::web) password: Attempt,
}

impl Fields for DeletionForm {
    const NAMES: &'static [&'static str] = &["password"];
    const SHOWN: &'static [&'static str] = &[];
}

#[derive(Template)]
#[template(path = "account_deletion.html", blocks = ["title", "main"])]
struct DeletionPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    user: &'a User,
    effect: String,
}

parts!(DeletionPage);

#[derive(Template)]
#[template(path = "account_deleted.html", blocks = ["title", "main"])]
struct DeletedPage<'a> {
    frame: Frame<'a>,
    done: String,
}

parts!(DeletedPage);

#[derive(Template)]
#[template(path = "account_restore.html", blocks = ["title", "main"])]
struct RestorePage<'a> {
    frame: Frame<'a>,
}

parts!(RestorePage);

/// `grace`: how long the account can be restored.
fn draw(status: Status, page: &Page<'_>, user: &User, form: &FormState, grace: Duration) -> Shown {
    let grace = (!grace.is_zero()).then(|| words::dates::days(grace));
    let effect = words::account::account_deletion::effect(grace.as_deref());
    pages::show(status, &DeletionPage { frame: page.frame, form, user, effect })
}

#[get("/account-deletion")]
pub(in crate::web) async fn show(page: Page<'_>, auth: &State<Auth>) -> Result<Answer, Error> {
    let Some(user) = page.user() else {
        return Ok(Answer::Go(page.sign_in_first(urls::ACCOUNT_DELETION)));
    };
    let grace = auth.deletion_grace(user.id).await?;
    Ok(Answer::Page(draw(Status::Ok, &page, user, &FormState::default(), grace)))
}

#[post("/account-deletion", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, DeletionForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(session) = page.session else { return no_session(&page, &client, auth).await };
    let grace = auth.deletion_grace(session.user.id).await?;
    let draw = |status, state: &FormState| draw(status, &page, &session.user, state, grace);
    let Submitted { form, state, .. } = submitted;
    let Some(DeletionForm { password }) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &state)));
    };
    match auth.request_deletion(session, password.0.as_ref(), &client).await {
        Ok(deleted) => {
            session::remove(jar, auth.config());
            Ok(draw_done(&page, deleted))
        }
        Err(Refused::Because(DeletionError::SignedOut)) => no_session(&page, &client, auth).await,
        Err(refused) => match auth.find_deletion(session.user.id).await? {
            // The form was sent twice, and the other one was quicker.
            Some(deleted) => Ok(draw_done(&page, deleted)),
            None => Answer::refused(refused, state, draw),
        },
    }
}

/// The form was sent twice, or the session has ended in another way.
async fn no_session(page: &Page<'_>, client: &Client, auth: &Auth) -> Result<Answer, Error> {
    Ok(match auth.find_deletion_by(client).await? {
        Some(deleted) => draw_done(page, deleted),
        None => Answer::Go(page.sign_in_first(urls::ACCOUNT_DELETION)),
    })
}

fn draw_done(page: &Page<'_>, deleted: Deletion) -> Answer {
    let zone = &page.frame.config.time_zone;
    let until = deleted.until.map(|until| words::dates::weekday(until, zone));
    let done = words::account::account_deletion::done(until.as_deref(), deleted.is_mailed);
    let frame = Frame { user: None, ..page.frame };
    Answer::Page(pages::show(Status::Ok, &DeletedPage { frame, done }))
}

#[get("/account-restore/link")]
pub(in crate::web) fn show_link(link: Link, page: Page<'_>) -> Answer {
    match link.0 {
        Some(OpenedLink { user: Some(_), .. }) => {
            Answer::Page(pages::show(Status::Ok, &RestorePage { frame: page.frame }))
        }
        Some(OpenedLink { used_by: Some(_), .. }) => Answer::Go(page.go_to(urls::SIGN_IN)),
        _ => dead_link::show(&page, Purpose::AccountRestore),
    }
}

#[post("/account-restore/link")]
pub(in crate::web) async fn submit_link(
    link: Link,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(link) = link.0 else { return Ok(dead_link::show(&page, Purpose::AccountRestore)) };
    match auth.restore_account(&link, &client).await {
        Ok(()) => {
            Notice::AccountRestored.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::SIGN_IN)))
        }
        Err(Refused::Because(CannotRestore)) => Ok(dead_link::show(&page, Purpose::AccountRestore)),
        Err(Refused::Wait(wait)) => Ok(Answer::Refused(Refusal::wait(wait))),
        Err(Refused::Failed(error)) => Err(error),
    }
}
