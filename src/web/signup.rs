//! The page to sign up.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};

use super::form::{Fields, FormState, OptionalName, Submitted};
use super::next::Next;
use super::page::{self, Answer, Frame, Page, Shown};
use crate::auth::{Auth, Client, Password, SignUp, SignUpBy, SignUpError, cookie};
use crate::{Email, Error};

#[derive(FromForm)]
pub(super) struct SignUpForm {
    pub(super) email: Email,
    pub(super) password: Password,
    pub(super) name: OptionalName,
    next: Option<Next>,
}

impl Fields for SignUpForm {
    const NAMES: &'static [&'static str] = &["email", "password", "name", "next"];
    const SHOWN: &'static [&'static str] = &["email", "name", "next"];
}

#[derive(Template)]
#[template(path = "signup.html")]
struct SignUpPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    min_length: usize,
    /// Whether the address has an account.
    is_taken: bool,
}

fn draw(status: Status, page: &Page<'_>, form: &FormState, auth: &Auth) -> Shown {
    let min_length = auth.config().password.fewest_characters();
    let is_taken = form.error("email") == Some(EMAIL_TAKEN);
    page::show(status, &SignUpPage { frame: page.frame, form, min_length, is_taken })
}

/// What stands beside the address field when somebody has it already.
pub(super) const EMAIL_TAKEN: &str = "This address is already in use.";

#[get("/signup?<next>")]
pub(super) fn show(page: Page<'_>, next: Option<&str>, auth: &State<Auth>) -> Answer {
    let next = next.and_then(Next::parse);
    if page.session.is_some() {
        return Answer::go(next.as_ref());
    }
    let form = FormState::with("next", next.as_ref().map_or("", Next::as_str));
    Answer::Page(draw(Status::Ok, &page, &form, auth))
}

#[post("/signup", data = "<submitted>")]
pub(super) async fn submit(
    submitted: Submitted<SignUpForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, mut state } = submitted;
    let Some(SignUpForm { email, password, name, next }) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &page, &state, auth)));
    };
    let form = SignUp { email, password, name: name.0 };
    let by = SignUpBy::Browser(cookie::read(jar, auth.config()));
    match auth.sign_up(form, &client, by).await {
        Ok(signed_up) => {
            if let Some(session) = signed_up.session {
                cookie::write(jar, auth.config(), session, &client);
            }
            return Ok(Answer::go(next.as_ref()));
        }
        Err(SignUpError::EmailTaken) => state.refuse("email", EMAIL_TAKEN),
        Err(SignUpError::Wait(wait)) => {
            let draw = |status, state: &FormState| draw(status, &page, state, auth);
            return Ok(Answer::later(wait, state, draw));
        }
        Err(SignUpError::WeakPassword(weak)) => state.refuse("password", weak.to_string()),
        Err(SignUpError::Failed(error)) => return Err(error),
    }
    Ok(Answer::Page(draw(Status::UnprocessableEntity, &page, &state, auth)))
}
