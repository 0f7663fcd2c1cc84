//! The pages to reset a forgotten password.

use std::convert::Infallible;

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};

use crate::auth::{
    Auth, Client, KnownDevice, OnRepeat, OpenedLink, Password, Purpose, Refused, ResetPasswordError,
};
use crate::web::flash::Notice;
use crate::web::forms::{Fields, FormState, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::Link;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Answer, Shown, dead_link};
use crate::web::session;
use crate::{Email, Error, User, urls, words};

#[derive(FromForm)]
pub(in crate::web) struct AskForm {
    pub(in crate::web) email: Email,
}

impl Fields for AskForm {
    const NAMES: &'static [&'static str] = &["email"];
    const SHOWN: &'static [&'static str] = &["email"];
}

#[derive(FromForm)]
pub(in crate::web) struct NewPasswordForm {
    new_password: Password,
}

impl Fields for NewPasswordForm {
    const NAMES: &'static [&'static str] = &["new_password"];
    const SHOWN: &'static [&'static str] = &[];
}

#[derive(Template)]
#[template(path = "password_reset.html", blocks = ["title", "main"])]
struct AskPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
}

parts!(AskPage);

#[derive(Template)]
#[template(path = "password_reset_sent.html", blocks = ["title", "main"])]
struct SentPage<'a> {
    frame: Frame<'a>,
    email: &'a Email,
}

parts!(SentPage);

#[derive(Template)]
#[template(path = "password_reset_link.html", blocks = ["title", "main"])]
struct NewPasswordPage<'a> {
    frame: Frame<'a>,
    is_first: bool,
    form: &'a FormState,
    user: &'a User,
    password_hint: String,
}

parts!(NewPasswordPage);

fn draw(
    status: Status,
    purpose: Purpose,
    page: &Page<'_>,
    user: &User,
    form: &FormState,
    auth: &Auth,
) -> Shown {
    let fewest = auth.config().password.fewest_characters();
    let password_hint = words::fields::new_password_hint(fewest);
    let is_first = purpose == Purpose::SetPassword;
    pages::show(status, &NewPasswordPage { frame: page.frame, is_first, form, user, password_hint })
}

#[get("/password-reset")]
pub(in crate::web) fn show(page: Page<'_>) -> Shown {
    let email = page.user().map_or("", |user| user.email.as_str());
    let form = FormState::with("email", email);
    pages::show(Status::Ok, &AskPage { frame: page.frame, form: &form })
}

#[post("/password-reset", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, AskForm>,
    page: Page<'_>,
    client: Client,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, state, .. } = submitted;
    let draw = |status, state: &FormState| {
        pages::show(status, &AskPage { frame: page.frame, form: state })
    };
    let Some(AskForm { email }) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &state)));
    };
    if let Err(limited) = auth.request_password_reset(&email, &client).await {
        return Answer::refused(Refused::<Infallible>::from(limited), state, draw);
    }
    Ok(Answer::Page(pages::show(Status::Ok, &SentPage { frame: page.frame, email: &email })))
}

#[get("/password-reset/link")]
pub(in crate::web) fn show_link(link: Link, page: Page<'_>, auth: &State<Auth>) -> Answer {
    let Some(OpenedLink { purpose, user: Some(user), .. }) = link.0 else {
        return dead_link::show(&page, true);
    };
    Answer::Page(draw(Status::Ok, purpose, &page, &user, &FormState::default(), auth))
}

#[post("/password-reset/link", data = "<submitted>")]
pub(in crate::web) async fn submit_link(
    link: Link,
    submitted: Submitted<'_, NewPasswordForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(link) = link.0 else { return Ok(dead_link::show(&page, true)) };
    let Submitted { form, state, .. } = submitted;
    if let Some(NewPasswordForm { new_password }) = form {
        match auth.reset_password(&link, new_password, &client, OnRepeat::SameAnswer).await {
            Ok(device) => {
                // The reset has ended every session: the current one began after it.
                if link.user.is_some() {
                    session::sign_out(auth, jar, &client).await?;
                }
                return Ok(done(link.purpose, &page, auth, jar, &client, device));
            }
            Err(Refused::Because(ResetPasswordError::DeadLink)) => {
                return Ok(dead_link::show(&page, true));
            }
            Err(refused) => {
                let Some(user) = link.user else { return Answer::without_form(refused) };
                let draw = |status, state: &FormState| {
                    draw(status, link.purpose, &page, &user, state, auth)
                };
                return Answer::refused(refused, state, draw);
            }
        }
    }
    let Some(user) = link.user else { return Ok(dead_link::show(&page, true)) };
    Ok(Answer::Page(draw(Status::UnprocessableEntity, link.purpose, &page, &user, &state, auth)))
}

/// The password was set: redirects to the sign-in page.
fn done(
    purpose: Purpose,
    page: &Page<'_>,
    auth: &Auth,
    jar: &CookieJar<'_>,
    client: &Client,
    device: KnownDevice,
) -> Answer {
    session::write_device(jar, auth.config(), device, client);
    let is_first = purpose == Purpose::SetPassword;
    let notice = if is_first { Notice::PasswordSet } else { Notice::PasswordReset };
    notice.put(jar, auth);
    Answer::Go(page.go_to(urls::SIGN_IN))
}
