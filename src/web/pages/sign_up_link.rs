//! The page that confirms the address of a sign-up, which makes the account.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};

use crate::auth::{Auth, Client, JoinError, Purpose, Refused, SignUpBy};
use crate::web::forms::{Attempt, Fields, FormState, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::{Link, Page};
use crate::web::layout::parts;
use crate::web::pages::{self, Answer, Shown, dead_link, joined};
use crate::web::refusals::Reason;
use crate::web::session;
use crate::{Email, Error};

#[derive(FromForm)]
pub(in crate::web) struct ConfirmForm {
    password: Attempt,
}

impl Fields for ConfirmForm {
    const NAMES: &'static [&'static str] = &["password"];
    const SHOWN: &'static [&'static str] = &[];
}

#[derive(Template)]
#[template(path = "sign_up_link.html", blocks = ["title", "main"])]
struct ConfirmPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    email: &'a Email,
}

parts!(ConfirmPage);

fn draw(status: Status, page: &Page<'_>, email: &Email, form: &FormState) -> Shown {
    pages::show(status, &ConfirmPage { frame: page.frame, form, email })
}

#[get("/signup/link")]
pub(in crate::web) fn show_link(link: Link, page: Page<'_>) -> Answer {
    let link = link.0;
    match link.as_ref().and_then(|link| link.email.as_ref()) {
        Some(email) => Answer::Page(draw(Status::Ok, &page, email, &FormState::default())),
        None => joined::show_used(link.as_ref(), &page, Purpose::SignUp),
    }
}

#[post("/signup/link", data = "<submitted>")]
pub(in crate::web) async fn submit_link(
    link: Link,
    submitted: Submitted<'_, ConfirmForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(link) = link.0 else { return Ok(dead_link::show(&page, Purpose::SignUp)) };
    let Submitted { form, state, .. } = submitted;
    let password = form.and_then(|form| form.password.0);
    let by = SignUpBy::Browser(session::read(jar, auth.config()));
    match auth.confirm_sign_up(&link, password.as_ref(), &client, by).await {
        Ok(account) => Ok(joined::go_on(account, &page, &client, jar, auth)),
        Err(Refused::Because(JoinError::DeadLink)) => Ok(dead_link::show(&page, Purpose::SignUp)),
        Err(refused) => {
            let refused = refused.map(|reason| match reason {
                JoinError::WrongPassword if password.is_none() => Reason::missing("password"),
                reason => reason.into(),
            });
            let Some(email) = link.email else { return Answer::without_form(refused) };
            Answer::refused(refused, state, |status, state| draw(status, &page, &email, state))
        }
    }
}
