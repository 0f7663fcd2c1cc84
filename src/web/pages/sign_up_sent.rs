//! After a sign-up whose address has to be confirmed: the page that says so, and that sends the link again. It says the
//! same of every address.

use std::convert::Infallible;

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{State, get, post};

use crate::auth::{Auth, Client, Refused};
use crate::web::forms::{FormState, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::password_reset::{AskForm, Asked};
use crate::web::pages::{self, Answer, Shown};
use crate::web::typed_email::TypedEmail;
use crate::{Error, urls};

#[derive(Template)]
#[template(path = "sign_up_sent.html", blocks = ["title", "main"])]
struct SentPage<'a> {
    frame: Frame<'a>,
    asked: Asked,
}

parts!(SentPage);

#[derive(Template)]
#[template(path = "sign_up_sent_ask.html", blocks = ["title", "main"])]
struct AskPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
}

parts!(AskPage);

fn draw(status: Status, page: &Page<'_>, form: &FormState) -> Shown {
    pages::show(status, &AskPage { frame: page.frame, form })
}

/// A page of its own, so that loading it again sends nothing.
#[get("/signup-sent")]
pub(in crate::web) fn show(page: Page<'_>, jar: &CookieJar<'_>, auth: &State<Auth>) -> Answer {
    if page.session.is_some() || !auth.config().requires_verification() {
        return Answer::go(&page, None);
    }
    let typed = TypedEmail::read(jar, auth);
    match typed.as_ref().and_then(|typed| Asked::of(typed, auth)) {
        Some(asked) => {
            Answer::Page(pages::show(Status::Ok, &SentPage { frame: page.frame, asked }))
        }
        None => Answer::Page(draw(Status::Ok, &page, &FormState::default().and_email(typed))),
    }
}

#[post("/signup-sent", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, AskForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    if page.session.is_some() || !auth.config().requires_verification() {
        return Ok(Answer::go(&page, None));
    }
    let Submitted { form, state, .. } = submitted;
    let draw = |status, state: &FormState| draw(status, &page, state);
    let Some(AskForm { email }) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &state)));
    };
    if let Err(limited) = auth.request_sign_up_link(&email, &client).await {
        return Answer::refused(Refused::<Infallible>::from(limited), state, draw);
    }
    TypedEmail::ask(jar, auth, email);
    Ok(Answer::Go(page.go_to(urls::SIGN_UP_SENT)))
}
