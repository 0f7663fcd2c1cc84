//! The page to sign up.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{FromForm, State, get, post};

use super::form::{Fields, FormState, OptionalName, Submitted};
use super::login::{Answer, sign_in};
use super::next::Next;
use super::page::{self, Frame, Page, Shown};
use crate::auth::{Auth, Client, Password, SignUp, SignUpError};
use crate::{Email, Error};

#[derive(FromForm)]
pub(super) struct SignUpForm {
    pub(super) email: Email,
    pub(super) password: Password,
    pub(super) name: OptionalName,
    next: Option<Next>,
}

impl Fields for SignUpForm {
    const SHOWN: &'static [&'static str] = &["email", "name", "next"];
}

#[derive(Template)]
#[template(path = "signup.html")]
struct SignUpPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    min_length: usize,
}

fn draw(status: Status, page: &Page<'_>, form: &FormState, auth: &Auth) -> Shown {
    let min_length = auth.config().password.min_length;
    page::show(status, &SignUpPage { frame: page.frame, form, min_length })
}

/// What stands beside the address field when somebody has it already.
pub(super) const EMAIL_TAKEN: &str =
    "This address is already in use. Log in instead, or reset the password.";

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
    match auth.sign_up(SignUp { email, password, name: name.0 }, &client).await {
        Ok(user) => {
            sign_in(auth, jar, &client, user.id, false).await?;
            return Ok(Answer::go(next.as_ref()));
        }
        Err(SignUpError::EmailTaken) => state.refuse("email", EMAIL_TAKEN),
        Err(SignUpError::WeakPassword(weak)) => state.refuse("password", weak.to_string()),
        Err(SignUpError::Failed(error)) => return Err(error),
    }
    Ok(Answer::Page(draw(Status::UnprocessableEntity, &page, &state, auth)))
}

impl Answer {
    /// On to where the person wanted to go, or to the profile.
    pub(super) fn go(next: Option<&Next>) -> Self {
        Self::Go(Redirect::to(next.map_or("/profile", Next::as_str).to_owned()))
    }
}
