//! The page that confirms the address of a sign-up, which makes the account.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};

use crate::auth::{Auth, Client, JoinError, Password, Purpose, Refused, SignUpBy};
use crate::web::forms::{Attempt, Fields, FormState, Patch, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::{Link, Page};
use crate::web::layout::parts;
use crate::web::pages::{self, Answer, Shown, dead_link, joined};
use crate::web::problems::Kind;
use crate::web::refusals::Reason;
use crate::web::session;
use crate::{Email, Error, words};

/// Either the password that was chosen with the sign-up, or a new one.
#[derive(FromForm)]
pub(in crate::web) struct ConfirmForm {
    password: Option<Attempt>,
    new_password: Patch<Password>,
}

impl Fields for ConfirmForm {
    const NAMES: &'static [&'static str] = &["password", "new_password"];
    const SHOWN: &'static [&'static str] = &[];
}

#[derive(Template)]
#[template(path = "sign_up_link.html", blocks = ["title", "main"])]
struct ConfirmPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    email: &'a Email,
    password_hint: String,
    /// Whether a new password is asked for.
    chooses: bool,
}

parts!(ConfirmPage);

fn draw(
    status: Status,
    page: &Page<'_>,
    email: &Email,
    chooses: bool,
    form: &FormState,
    auth: &Auth,
) -> Shown {
    let fewest = auth.config().password.fewest_characters();
    let password_hint = words::fields::new_password_hint(fewest);
    pages::show(status, &ConfirmPage { frame: page.frame, form, email, password_hint, chooses })
}

/// `choose` asks for a new password: whoever has forgotten the one of the sign-up, or whose address a stranger has typed.
#[get("/signup/link?<choose>")]
pub(in crate::web) fn show_link(
    choose: Option<&str>,
    link: Link,
    page: Page<'_>,
    auth: &State<Auth>,
) -> Answer {
    let link = link.0;
    match link.as_ref().and_then(|link| link.email.as_ref()) {
        Some(email) => {
            let form = FormState::default();
            Answer::Page(draw(Status::Ok, &page, email, choose.is_some(), &form, auth))
        }
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
    let chooses = submitted.has("new_password");
    let Submitted { form, state, .. } = submitted;
    let Some(ConfirmForm { password, new_password }) = form else {
        return Ok(match &link.email {
            Some(email) => {
                let status = Status::UnprocessableEntity;
                Answer::Page(draw(status, &page, email, chooses, &state, auth))
            }
            None => dead_link::show(&page, Purpose::SignUp),
        });
    };
    let by = SignUpBy::Browser(session::read(jar, auth.config()));
    let password = password.and_then(|tried| tried.0);
    let account = match new_password.into_new() {
        Some(new) => auth.accept_link(&link, new, None, &client, by).await,
        None => auth.confirm_sign_up(&link, password.as_ref(), &client, by).await,
    };
    match account {
        Ok(account) => Ok(joined::go_on(account, &page, &client, jar, auth)),
        Err(Refused::Because(JoinError::DeadLink)) => Ok(dead_link::show(&page, Purpose::SignUp)),
        Err(refused) => {
            let refused = refused.map(|reason| match reason {
                JoinError::WrongPassword if password.is_none() => Reason::missing("password"),
                JoinError::WeakPassword(weak) => {
                    Reason::field(Kind::WeakPassword, "new_password", words::passwords::weak(&weak))
                }
                reason => reason.into(),
            });
            let Some(email) = link.email else { return Answer::without_form(refused) };
            let draw =
                |status, state: &FormState| draw(status, &page, &email, chooses, state, auth);
            Answer::refused(refused, state, draw)
        }
    }
}
