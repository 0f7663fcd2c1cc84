//! The pages to get back in with a forgotten password.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{FromForm, State, get, post, uri};

use super::form::{Fields, FormState, Submitted};
use super::links::Link;
use super::login::{self, Answer};
use super::page::{self, Frame, Notice, Page, Shown};
use crate::auth::{Auth, Client, Password, ResetPasswordError, ResetToken};
use crate::{Email, Error, User};

#[derive(FromForm)]
pub(super) struct AskForm {
    pub(super) email: Email,
}

impl Fields for AskForm {
    const SHOWN: &'static [&'static str] = &["email"];
}

#[derive(FromForm)]
pub(super) struct NewPasswordForm {
    new_password: Password,
}

impl Fields for NewPasswordForm {
    const SHOWN: &'static [&'static str] = &[];
}

#[derive(Template)]
#[template(path = "password_reset.html")]
struct AskPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
}

#[derive(Template)]
#[template(path = "password_reset_sent.html")]
struct SentPage<'a> {
    frame: Frame<'a>,
    email: &'a Email,
}

#[derive(Template)]
#[template(path = "password_reset_link.html")]
struct NewPasswordPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    user: &'a User,
    min_length: usize,
}

#[derive(Template)]
#[template(path = "dead_link.html")]
pub(super) struct DeadLinkPage<'a> {
    pub(super) frame: Frame<'a>,
    /// Whether the link was one to reset a password.
    pub(super) is_reset: bool,
}

fn draw(status: Status, page: &Page<'_>, user: &User, form: &FormState, auth: &Auth) -> Shown {
    let min_length = auth.config().password.min_length;
    page::show(status, &NewPasswordPage { frame: page.frame, form, user, min_length })
}

fn dead(page: &Page<'_>) -> Answer {
    Answer::Page(page::show(Status::NotFound, &DeadLinkPage { frame: page.frame, is_reset: true }))
}

#[get("/password-reset")]
pub(super) fn show(page: Page<'_>) -> Shown {
    let email = page.user().map_or("", |user| user.email.as_str());
    let form = FormState::with("email", email);
    page::show(Status::Ok, &AskPage { frame: page.frame, form: &form })
}

#[post("/password-reset", data = "<submitted>")]
pub(super) async fn submit(
    submitted: Submitted<AskForm>,
    page: Page<'_>,
    client: Client,
    auth: &State<Auth>,
) -> Shown {
    let Submitted { form, state } = submitted;
    let Some(AskForm { email }) = form else {
        let again = AskPage { frame: page.frame, form: &state };
        return page::show(Status::UnprocessableEntity, &again);
    };
    auth.request_password_reset(&email, &client).await?;
    page::show(Status::Ok, &SentPage { frame: page.frame, email: &email })
}

#[get("/password-reset/link")]
pub(super) async fn show_link(
    link: Link<ResetToken>,
    page: Page<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(token) = link.0 else { return Ok(dead(&page)) };
    let Some(user) = auth.find_reset_link(&token).await? else { return Ok(dead(&page)) };
    Ok(Answer::Page(draw(Status::Ok, &page, &user, &FormState::default(), auth)))
}

#[post("/password-reset/link", data = "<submitted>")]
pub(super) async fn submit_link(
    link: Link<ResetToken>,
    submitted: Submitted<NewPasswordForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(token) = link.0 else { return Ok(dead(&page)) };
    let Some(user) = auth.find_reset_link(&token).await? else { return Ok(dead(&page)) };
    let Submitted { form, mut state } = submitted;
    if let Some(NewPasswordForm { new_password }) = form {
        match auth.reset_password(&token, new_password, &client).await {
            Ok(_) => {
                login::sign_out(auth, jar).await?;
                Notice::PasswordChanged.put(jar, auth);
                return Ok(Answer::Go(Redirect::to(uri!(login::show(next = None::<&str>)))));
            }
            Err(ResetPasswordError::DeadLink) => return Ok(dead(&page)),
            Err(ResetPasswordError::WeakPassword(weak)) => {
                state.refuse("new_password", weak.to_string());
            }
            Err(ResetPasswordError::Failed(error)) => return Err(error),
        }
    }
    Ok(Answer::Page(draw(Status::UnprocessableEntity, &page, &user, &state, auth)))
}
