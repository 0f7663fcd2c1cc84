//! The pages to reset a forgotten password.

use std::convert::Infallible;

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};
use utoipa::ToSchema;

use crate::auth::{
    Auth, Client, KnownDevice, OnRepeat, OpenedLink, Password, Purpose, Refused, ResetPasswordError,
};
use crate::web::flash::Notice;
use crate::web::forms::{Fields, FormState, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::Link;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::openapi::schemas;
use crate::web::pages::{self, Answer, Shown, dead_link};
use crate::web::session;
use crate::web::typed_email::TypedEmail;
use crate::{Email, Error, User, urls, words};

/// The address of an account.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct AskForm {
    #[schema(value_type = schemas::Email)]
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
    /// `None` in a browser that keeps no cookies.
    asked: Option<Asked>,
}

/// A link that was asked for.
pub(super) struct Asked {
    pub(super) email: Email,
    pub(super) may_ask: bool,
    /// How often, or when, another one can be asked for.
    pub(super) again: String,
}

impl Asked {
    /// `None` if this browser has asked for none.
    pub(super) fn of(typed: &TypedEmail, auth: &Auth) -> Option<Self> {
        if !typed.has_asked() {
            return None;
        }
        let left = typed.links_left(auth.config());
        let may_ask = left > 0;
        let again = if may_ask {
            words::pages::password_reset_sent::times_left(left)
        } else {
            words::pages::password_reset_sent::again_in(typed.wait(auth))
        };
        Some(Self { email: typed.email.clone(), may_ask, again })
    }
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
pub(in crate::web) fn show(page: Page<'_>, jar: &CookieJar<'_>, auth: &State<Auth>) -> Shown {
    let form = match page.user() {
        Some(user) => FormState::with("email", user.email.as_str()),
        None => FormState::default().and_email(TypedEmail::read(jar, auth)),
    };
    pages::show(Status::Ok, &AskPage { frame: page.frame, form: &form })
}

#[post("/password-reset", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, AskForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
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
    TypedEmail::ask(jar, auth, email);
    Ok(Answer::Go(page.go_to(urls::PASSWORD_RESET_SENT)))
}

/// A page of its own, so that loading it again sends nothing. Says the same of every address.
#[get("/password-reset-sent")]
pub(in crate::web) fn show_sent(page: Page<'_>, jar: &CookieJar<'_>, auth: &State<Auth>) -> Shown {
    let asked = TypedEmail::read(jar, auth).and_then(|typed| Asked::of(&typed, auth));
    pages::show(Status::Ok, &SentPage { frame: page.frame, asked })
}

#[get("/password-reset/link")]
pub(in crate::web) fn show_link(link: Link, page: Page<'_>, auth: &State<Auth>) -> Answer {
    let Some(OpenedLink { purpose, user: Some(user), .. }) = link.0 else {
        return dead_link::show(&page, Purpose::PasswordReset);
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
    let Some(link) = link.0 else { return Ok(dead_link::show(&page, Purpose::PasswordReset)) };
    let Submitted { form, state, .. } = submitted;
    if let Some(NewPasswordForm { new_password }) = form {
        match auth.reset_password(&link, new_password, &client, OnRepeat::SameAnswer).await {
            Ok(device) => {
                // The reset has ended every session: the current one began after it.
                if let Some(user) = link.user {
                    session::sign_out(auth, jar, &client).await?;
                    TypedEmail::keep(jar, auth, user.email);
                }
                return Ok(done(link.purpose, &page, auth, jar, &client, device));
            }
            Err(Refused::Because(ResetPasswordError::DeadLink)) => {
                return Ok(dead_link::show(&page, Purpose::PasswordReset));
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
    let Some(user) = link.user else { return Ok(dead_link::show(&page, Purpose::PasswordReset)) };
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
