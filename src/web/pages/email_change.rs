//! The pages to change the email address.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};
use utoipa::ToSchema;

use crate::auth::{
    Auth, ChangeEmailError, Client, ConfirmEmailError, OpenedLink, Purpose, Refused, SignedOut,
};
use crate::web::flash::Notice;
use crate::web::forms::{Attempt, Fields, FormState, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::{Draft, Link, Page};
use crate::web::layout::parts;
use crate::web::openapi::schemas;
use crate::web::pages::{self, Answer, Shown, dead_link};
use crate::web::refusals::Reason;
use crate::web::session;
use crate::{Email, Error, User, urls};

/// Another address.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct EmailForm {
    #[schema(value_type = schemas::Email)]
    pub(in crate::web) email: Email,
}

impl Fields for EmailForm {
    const NAMES: &'static [&'static str] = &["email"];
    const SHOWN: &'static [&'static str] = &["email"];
}

#[derive(FromForm)]
pub(in crate::web) struct ConfirmForm {
    password: Option<Attempt>,
}

impl Fields for ConfirmForm {
    const NAMES: &'static [&'static str] = &["password"];
    const SHOWN: &'static [&'static str] = &[];
}

#[derive(Template)]
#[template(path = "email_change.html", blocks = ["title", "main"])]
struct ChangePage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    user: &'a User,
}

parts!(ChangePage);

#[derive(Template)]
#[template(path = "email_change_link.html", blocks = ["title", "main"])]
struct ConfirmPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    email: &'a Email,
    /// Whether this browser must prove that the account is its own.
    asks_password: bool,
}

parts!(ConfirmPage);

fn draw(status: Status, page: &Page<'_>, user: &User, form: &FormState) -> Shown {
    pages::show(status, &ChangePage { frame: page.frame, form, user })
}

#[get("/email-change")]
pub(in crate::web) fn show(page: Page<'_>, draft: Draft, auth: &State<Auth>) -> Answer {
    // Asked for now, so that nothing typed has to wait for it.
    match page.recent_session(auth) {
        Some(session) => {
            let form = draft.0.map_or_else(FormState::default, |draft| FormState::of_draft(&draft));
            Answer::Page(draw(Status::Ok, &page, &session.user, &form))
        }
        None => Answer::Go(page.sign_in_first(urls::EMAIL_CHANGE)),
    }
}

#[post("/email-change", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, EmailForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, state, .. } = submitted;
    let Some(session) = page.recent_session(auth) else {
        let first = page.sign_in_first_with(urls::EMAIL_CHANGE, &state, jar, auth).await;
        return Ok(Answer::Go(first));
    };
    let draw = |status, state: &FormState| draw(status, &page, &session.user, state);
    let Some(EmailForm { email }) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &state)));
    };
    match auth.request_email_change(session, &email, &client).await {
        Ok(()) => {
            Notice::LinkSent.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::SECURITY)))
        }
        Err(Refused::Because(ChangeEmailError::SignedOut)) => {
            Ok(Answer::Go(page.sign_in_first(urls::EMAIL_CHANGE)))
        }
        Err(refused) => Answer::refused(refused, state, draw),
    }
}

/// Takes the wish for another address back.
#[post("/email-cancel")]
pub(in crate::web) async fn cancel(
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let sign_in_first = || Ok(Answer::Go(page.sign_in_first(urls::SECURITY)));
    let Some(session) = page.session else { return sign_in_first() };
    match auth.cancel_email_change(session, &client).await {
        Ok(()) => {
            Notice::EmailChangeCancelled.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::SECURITY)))
        }
        Err(Refused::Because(SignedOut)) => sign_in_first(),
        Err(refused) => Answer::without_form(refused),
    }
}

fn draw_link(
    status: Status,
    page: &Page<'_>,
    user: &User,
    email: &Email,
    form: &FormState,
) -> Shown {
    let asks_password = page.user().is_none_or(|signed_in| signed_in.id != user.id);
    pages::show(status, &ConfirmPage { frame: page.frame, form, email, asks_password })
}

#[get("/email-change/link")]
pub(in crate::web) fn show_link(link: Link, page: Page<'_>) -> Answer {
    match link.0 {
        Some(OpenedLink { user: Some(user), email: Some(email), .. }) => {
            Answer::Page(draw_link(Status::Ok, &page, &user, &email, &FormState::default()))
        }
        // A second click on a link that has already done its work.
        Some(link) if link.used_by.is_some() && link.used_by == page.user().map(|user| user.id) => {
            Answer::Go(page.go_to(urls::SECURITY))
        }
        _ => dead_link::show(&page, Purpose::EmailChange),
    }
}

#[post("/email-change/link", data = "<submitted>")]
pub(in crate::web) async fn submit_link(
    link: Link,
    submitted: Submitted<'_, ConfirmForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(link) = link.0 else { return Ok(dead_link::show(&page, Purpose::EmailChange)) };
    let typed = submitted.form.and_then(|form| form.password);
    let (is_typed, password) = (typed.is_some(), typed.and_then(|tried| tried.0));
    match auth.confirm_email_change(&link, page.session, password.as_ref(), &client).await {
        Ok(proved) => {
            if let Some(proof) = proved {
                session::sign_in(auth, jar, &client, &proof, false).await?;
            }
            Notice::EmailChanged.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::SECURITY)))
        }
        Err(Refused::Because(ConfirmEmailError::DeadLink)) => {
            Ok(dead_link::show(&page, Purpose::EmailChange))
        }
        Err(Refused::Because(ConfirmEmailError::SignedOut)) => {
            Ok(Answer::Go(page.sign_in_first(urls::SECURITY)))
        }
        Err(refused) => {
            let refused = refused.map(|reason| match reason {
                ConfirmEmailError::WrongPassword if !is_typed => Reason::missing("password"),
                reason => reason.into(),
            });
            let OpenedLink { user: Some(user), email: Some(email), .. } = &link else {
                return Answer::without_form(refused);
            };
            let draw = |status, state: &FormState| draw_link(status, &page, user, email, state);
            Answer::refused(refused, FormState::default(), draw)
        }
    }
}
