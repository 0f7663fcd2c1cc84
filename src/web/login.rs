//! The page to log in.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};

use super::form::{Attempt, Fields, FormState, Submitted, Ticked, Typed};
use super::next::Next;
use super::page::{self, Answer, Frame, Page, Shown};
use super::signing::sign_in;
use crate::Error;
use crate::auth::{Auth, Client, LogInError};

#[derive(FromForm)]
pub(super) struct LogInForm {
    pub(super) email: Typed,
    pub(super) password: Attempt,
    pub(super) remember: Ticked,
    next: Option<Next>,
}

impl Fields for LogInForm {
    const NAMES: &'static [&'static str] = &["email", "password", "remember", "next"];
    const SHOWN: &'static [&'static str] = &["email", "remember", "next"];
}

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
}

/// The one message for an unknown address, a wrong password and a disabled account.
pub(super) const WRONG_CREDENTIALS: &str = "The e-mail address or the password is wrong.";

fn draw(status: Status, page: &Page<'_>, form: &FormState) -> Shown {
    page::show(status, &LogInPage { frame: page.frame, form })
}

#[get("/login?<next>")]
pub(super) fn show(page: Page<'_>, next: Option<&str>) -> Answer {
    let next = next.and_then(Next::parse);
    if page.session.is_some() {
        return Answer::go(next.as_ref());
    }
    let form = FormState::with("next", next.as_ref().map_or("", Next::as_str));
    Answer::Page(draw(Status::Ok, &page, &form))
}

#[post("/login", data = "<submitted>")]
pub(super) async fn submit(
    submitted: Submitted<LogInForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, mut state } = submitted;
    let Some(form) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &page, &state)));
    };
    match auth.log_in(&form.email.0, form.password.0.as_ref(), &client).await {
        Ok(user) => {
            if sign_in(auth, jar, &client, &user, form.remember.0).await? {
                return Ok(Answer::go(form.next.as_ref()));
            }
        }
        Err(LogInError::WrongCredentials) => {}
        Err(LogInError::Wait(wait)) => {
            return Ok(Answer::later(wait, state, |status, state| draw(status, &page, state)));
        }
        Err(LogInError::Failed(error)) => return Err(error),
    }
    state.alert("We could not log you in", WRONG_CREDENTIALS);
    Ok(Answer::Page(draw(Status::Unauthorized, &page, &state)))
}
