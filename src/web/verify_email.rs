//! The page that confirms an address, and the button that sends its link again.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{FromForm, State, get, post, uri};

use super::form::{Fields, FormState, Submitted};
use super::links::Link;
use super::login::{self, Answer};
use super::page::{self, Frame, Notice, Page, Shown};
use super::password_reset::DeadLinkPage;
use super::profile;
use crate::auth::{Auth, Client, VerifyEmailError, VerifyToken};
use crate::{Error, User};

#[derive(FromForm)]
pub(super) struct VerifyForm {
    password: Option<String>,
}

impl Fields for VerifyForm {
    const SHOWN: &'static [&'static str] = &[];
}

#[derive(Template)]
#[template(path = "verify_email.html")]
struct VerifyPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    user: &'a User,
    /// Whether this browser has to show that the account is its own.
    asks_password: bool,
}

fn draw(status: Status, page: &Page<'_>, user: &User, form: &FormState) -> Shown {
    let asks_password = page.user().is_none_or(|signed_in| signed_in.id != user.id);
    page::show(status, &VerifyPage { frame: page.frame, form, user, asks_password })
}

fn dead(page: &Page<'_>) -> Answer {
    Answer::Page(page::show(Status::NotFound, &DeadLinkPage { frame: page.frame, is_reset: false }))
}

#[post("/verify-email")]
pub(super) async fn submit(
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Redirect, Error> {
    let Some(user) = page.user() else { return Ok(login::first("/profile")) };
    if user.email_verified_at.is_none() {
        auth.request_verification(user, &client).await?;
        Notice::LetterSent.put(jar, auth);
    }
    Ok(Redirect::to(uri!(profile::show)))
}

#[get("/verify-email/link")]
pub(super) async fn show_link(
    link: Link<VerifyToken>,
    page: Page<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(token) = link.0 else { return Ok(dead(&page)) };
    let Some(user) = auth.find_verify_link(&token).await? else { return Ok(dead(&page)) };
    Ok(Answer::Page(draw(Status::Ok, &page, &user, &FormState::default())))
}

#[post("/verify-email/link", data = "<submitted>")]
pub(super) async fn submit_link(
    link: Link<VerifyToken>,
    submitted: Submitted<VerifyForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(token) = link.0 else { return Ok(dead(&page)) };
    let Some(user) = auth.find_verify_link(&token).await? else { return Ok(dead(&page)) };
    let password = submitted.form.and_then(|form| form.password).unwrap_or_default();
    let mut state = FormState::default();
    match auth.verify_email(&token, page.user(), &password).await {
        Ok(verified) => {
            if page.user().is_none_or(|signed_in| signed_in.id != verified.id) {
                login::sign_in(auth, jar, &client, verified.id, false).await?;
            }
            Notice::EmailVerified.put(jar, auth);
            return Ok(Answer::Go(Redirect::to(uri!(profile::show))));
        }
        Err(VerifyEmailError::DeadLink) => return Ok(dead(&page)),
        Err(VerifyEmailError::WrongPassword) if password.is_empty() => {
            state.refuse("password", "Enter your password.");
        }
        Err(VerifyEmailError::WrongPassword) => {
            state.refuse("password", "This is not the password of this account.");
        }
        Err(VerifyEmailError::Failed(error)) => return Err(error),
    }
    Ok(Answer::Page(draw(Status::UnprocessableEntity, &page, &user, &state)))
}
