//! The page that verifies an address, and the button that sends another link.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{FromForm, State, get, post};

use crate::auth::{Auth, Client, Purpose, Refused, VerificationRequest, VerifyEmailError};
use crate::web::flash::Notice;
use crate::web::forms::{Attempt, Fields, FormState, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::Link;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Answer, Shown, dead_link};
use crate::web::refusals::Reason;
use crate::web::session;
use crate::{Error, User, urls};

#[derive(FromForm)]
pub(in crate::web) struct VerifyForm {
    password: Option<Attempt>,
}

impl Fields for VerifyForm {
    const NAMES: &'static [&'static str] = &["password"];
    const SHOWN: &'static [&'static str] = &[];
}

#[derive(Template)]
#[template(path = "verify_email.html", blocks = ["title", "main"])]
struct VerifyPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    user: &'a User,
    /// Whether this browser must prove that the account is its own.
    asks_password: bool,
}

parts!(VerifyPage);

fn draw(status: Status, page: &Page<'_>, user: &User, form: &FormState) -> Shown {
    let asks_password = page.user().is_none_or(|signed_in| signed_in.id != user.id);
    pages::show(status, &VerifyPage { frame: page.frame, form, user, asks_password })
}

#[post("/verify-email")]
pub(in crate::web) async fn submit(
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Redirect, Error> {
    let Some(session) = page.session else { return Ok(page.sign_in_first(urls::PROFILE)) };
    if session.user.email_verified_at.is_none() {
        let notice = match auth.request_verification(session, &client).await? {
            VerificationRequest::Sent => Notice::MessageSent,
            VerificationRequest::IsWaiting => Notice::MessageWaits,
            VerificationRequest::EnoughLinks => Notice::EnoughMessages,
            VerificationRequest::TooMany => Notice::TooManyMessages,
        };
        notice.put(jar, auth);
    }
    Ok(page.go_to(urls::PROFILE))
}

#[get("/verify-email/link")]
pub(in crate::web) fn show_link(
    link: Link,
    page: Page<'_>,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Answer {
    let Some(link) = link.0 else { return dead_link::show(&page, Purpose::VerifyEmail) };
    let Some(user) = link.user else {
        // A second click on a link that has already verified the address; of any other, the profile tells.
        return match page.user().filter(|user| user.email_verified_at.is_some()) {
            Some(user) => {
                if link.used_by == Some(user.id) {
                    Notice::EmailVerified.put(jar, auth);
                }
                Answer::go(&page, None)
            }
            None => dead_link::show(&page, Purpose::VerifyEmail),
        };
    };
    Answer::Page(draw(Status::Ok, &page, &user, &FormState::default()))
}

#[post("/verify-email/link", data = "<submitted>")]
pub(in crate::web) async fn submit_link(
    link: Link,
    submitted: Submitted<'_, VerifyForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(link) = link.0 else { return Ok(dead_link::show(&page, Purpose::VerifyEmail)) };
    let typed = submitted.form.and_then(|form| form.password);
    let (is_typed, password) = (typed.is_some(), typed.and_then(|tried| tried.0));
    match auth.verify_email(&link, page.session, password.as_ref(), &client).await {
        Ok(proved) => {
            if let Some(proof) = proved {
                session::sign_in(auth, jar, &client, &proof, false).await?;
            }
            Notice::EmailVerified.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::PROFILE)))
        }
        Err(Refused::Because(VerifyEmailError::DeadLink)) => {
            Ok(dead_link::show(&page, Purpose::VerifyEmail))
        }
        Err(Refused::Because(VerifyEmailError::SignedOut)) => {
            Ok(Answer::Go(page.sign_in_first(urls::PROFILE)))
        }
        Err(refused) => {
            let refused = refused.map(|reason| match reason {
                VerifyEmailError::WrongPassword if !is_typed => Reason::missing("password"),
                reason => reason.into(),
            });
            let Some(user) = link.user else { return Answer::without_form(refused) };
            let draw = |status, state: &FormState| draw(status, &page, &user, state);
            Answer::refused(refused, FormState::default(), draw)
        }
    }
}
